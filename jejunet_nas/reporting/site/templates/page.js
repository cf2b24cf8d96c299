// Draws the charts in the colours of the theme, and shows the card of a trial when its point is clicked.
(() => {
  const COLOURS = {
    light: { front: "#0072b2", best: "#0072b2", video: "#d55e00", fastest: "#d55e00", knee: "#008563", dominated: "#8c8c8c", over: "#a3a3a3", refused: "#a0a7ad", baseline: "#8a6400",
      published: "#cc79a7", prediction: "#56b4e9", ink: "#1d2329", pale: "#5c6873", line: "#e3e7eb", page: "#ffffff" },
    dark: { front: "#56b4e9", best: "#56b4e9", video: "#f0945a", fastest: "#f0945a", knee: "#2fc49a", dominated: "#8a949d", over: "#6d7780", refused: "#66717b", baseline: "#e0b94a",
      published: "#e19cc3", prediction: "#9ad2f5", ink: "#e6eaee", pale: "#9aa7b3", line: "#2b333b", page: "#14181c" },
  };
  const SIZES = { front: 9, best: 14, knee: 14, fastest: 14, dominated: 7, over: 7 };
  const HOLLOW = ["over"];
  const STATES = { dominated: "Dominated: another trial is at least as good in mIoU and in latency.", "over target": "Over the target: it does not keep up with the camera." };
  const touch = matchMedia("(pointer: coarse)").matches; // a finger that moves over a chart scrolls the page
  const narrow = () => innerWidth < 900;
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  let webGL = null; // checked once, and only for thousands of points
  const hasWebGL = () => (webGL === null ? (webGL = Boolean(document.createElement("canvas").getContext("webgl"))) : webGL);
  let data = null, rowOf = new Map(), pinned = null, theme = preferred();

  function preferred() {
    try { const kept = localStorage.getItem("jejunet-theme"); if (kept === "dark" || kept === "light") return kept; } catch (refused) { /* a browser may deny storage to a file */ }
    return window.matchMedia && matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function setTheme(name, keep) {
    theme = name;
    root.dataset.theme = name;
    byId("theme").textContent = name === "dark" ? "Light" : "Dark";
    if (keep) try { localStorage.setItem("jejunet-theme", name); } catch (refused) { /* as above */ }
    for (const id of drawn.keys()) draw(id);
  }

  async function unpack(id) {
    const letters = atob(byId(id).textContent.trim());
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // Charts drawn so far: id -> a function that returns the plotly figure.
  const drawn = new Map();

  function coloured(figure) {
    const c = COLOURS[theme];
    const traces = figure.data.map((trace) => {
      const { role, points } = trace.meta || {}, colour = c[role] || c.front;
      const marker = { ...(trace.marker || {}), color: points ? points.map((each) => c[each]) : colour };
      if (SIZES[role] && !("size" in marker)) marker.size = points ? points.map((each) => SIZES[each]) : SIZES[role];
      if (HOLLOW.includes(role)) marker.symbol = [].concat(marker.symbol).map((s) => `${s}-open`);
      else if (points) Object.assign(marker, { opacity: 1 }).line = { width: 1.5, color: c.page };
      else if (trace.mode === "markers") marker.line = { width: 0 };
      // WebGL draws thousands of points; SVG takes seconds.
      const type = trace.type === "scatter" && trace.x.length > 1500 && hasWebGL() ? "scattergl" : trace.type;
      const visible = hidden.has(trace.name) ? hidden.get(trace.name) ? "legendonly" : true : trace.visible;
      return { ...trace, type, marker, visible, line: { ...(trace.line || {}), color: colour },
        error_y: trace.error_y ? { ...trace.error_y, color: colour } : undefined };
    });
    const axis = { gridcolor: c.line, linecolor: c.line, zerolinecolor: c.line, automargin: true };
    const layout = { ...figure.layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: c.ink, size: 13, family: "system-ui, sans-serif" },
      modebar: { orientation: "v", bgcolor: "rgba(0,0,0,0)", color: c.pale, activecolor: c.front },
      hoverlabel: { bgcolor: c.page, bordercolor: c.line, font: { color: c.ink } } };
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(layout)])) if (/^[xy]axis/.test(name)) layout[name] = { ...axis, ...(touch ? { fixedrange: true } : {}), ...layout[name] };
    layout.dragmode = touch ? false : "zoom";
    layout.shapes = (layout.shapes || []).map((shape) => ({ ...shape, line: { ...shape.line, color: c.ink } }));
    return { data: traces, layout };
  }

  // The ticks have room in a wide chart; a narrow one shows every second or third.
  function thinned(axis, width) {
    const every = axis.tickvals ? Math.ceil((64 * axis.tickvals.length) / (width - 80)) : 1;
    const kept = (values) => values.filter((_, place) => place % every === 0);
    return every === 1 ? axis : { ...axis, tickvals: kept(axis.tickvals), ticktext: kept(axis.ticktext) };
  }

  function draw(id) {
    const figure = coloured(drawn.get(id)()), width = byId(id).clientWidth;
    figure.layout.xaxis = thinned(figure.layout.xaxis, width);
    legend(id, figure.data);
    return Plotly.react(byId(id), figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: id === "chart-front" && !touch, modeBarButtonsToRemove: ["select2d", "lasso2d"] });
  }

  // The traces that a reader hid (true) or showed (false) in a legend, by name.
  const hidden = new Map();

  function legend(id, traces) {
    const place = byId(id.replace("chart-", "legend-")), c = COLOURS[theme];
    if (!place) return;
    const named = traces.filter((trace) => trace.name && trace.showlegend !== false);
    named.sort((one, other) => Boolean((other.meta || {}).points) - Boolean((one.meta || {}).points)); // the front is drawn last, and named first
    place.replaceChildren(...named.map((trace) => {
      const button = document.createElement("button"), shown = trace.visible !== "legendonly";
      button.type = "button";
      button.setAttribute("aria-pressed", String(shown));
      button.append(sign(trace, [].concat(trace.line.color)[0]), trace.name);
      button.addEventListener("click", () => { hidden.set(trace.name, shown); draw(id); });
      return button;
    }));
    if (traces.some((trace) => [].concat((trace.marker || {}).symbol).some((symbol) => /^diamond/.test(symbol)))) {
      const key = document.createElement("span");
      key.append(sign({ mode: "markers", marker: { symbol: "diamond" } }, c.pale), "diamond: every frame a keyframe");
      place.append(key);
    }
  }

  // The sign of a trace in a legend; states of trials are round there, as a diamond has a meaning of its own.
  function sign(trace, colour) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), symbol = [].concat((trace.marker || {}).symbol)[0] || "circle";
    const shape = (name, attributes) => {
      const part = document.createElementNS(svg.namespaceURI, name);
      for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
      svg.append(part);
    };
    const isState = ["front", "dominated", "over"].includes((trace.meta || {}).role);
    const paint = { fill: /-open$/.test(symbol) ? "none" : colour, stroke: colour, "stroke-width": 1.5 };
    svg.setAttribute("viewBox", "0 0 20 12");
    if (trace.type === "bar") shape("rect", { x: 4, y: 1, width: 12, height: 10, fill: colour });
    else if (trace.error_y) shape("path", { d: "M10 1V11M7 1H13M7 11H13", ...paint });
    else {
      if (/lines/.test(trace.mode)) shape("path", { d: "M1 6H19", ...paint, "stroke-dasharray": (trace.line || {}).dash === "dot" ? "2 2" : "none" });
      if (/^line-ns/.test(symbol)) shape("path", { d: "M10 1V11", ...paint });
      else if (/^square/.test(symbol)) shape("rect", { x: 6.5, y: 2.5, width: 7, height: 7, ...paint });
      else if (/^diamond/.test(symbol) && !isState) shape("path", { d: "M10 1L15 6L10 11L5 6Z", ...paint });
      else if (/markers/.test(trace.mode)) shape("circle", { cx: 10, cy: 6, r: 4, ...paint });
    }
    return svg;
  }

  // A chart is drawn when it comes into view, so that the first one appears immediately.
  function whenSeen(id, figure) {
    const place = byId(id);
    if (!place) return;
    place.start = () => { if (!drawn.has(id)) { drawn.set(id, figure); draw(id); } };
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { seen.disconnect(); place.start(); }
    }, { rootMargin: "200px" });
    seen.observe(place);
  }

  function trial(number) {
    const columns = number < 0 ? data.baseline_trials : data.trials;
    const row = number < 0 ? columns.number.indexOf(-1 - number) : rowOf.get(number);
    return row === undefined || row < 0 ? null : Object.fromEntries(Object.keys(columns).map((key) => [key, columns[key][row]]));
  }

  const isKnown = (value) => value !== null && value !== undefined;
  const figure1 = (value) => (isKnown(value) ? value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 }) : "–"); // values come rounded

  const title = (known, baseline) => (baseline ? `${data.names[1]}, trial ${known.number}` : `Trial ${known.number}, ${known.state}`);

  function lines(known, baseline) {
    const told = [title(known, baseline)];
    if (isKnown(known.miou)) told.push(`${figure1(known.miou)} % mIoU`);
    if (known.ms) told.push(`${known.state === "refused" ? "at least " : ""}${figure1(known.ms)} ms, ${figure1(known.fps)} fps, ${known.source}` + (known.predicted ? ` (predicted ${figure1(known.predicted)})` : ""));
    if (known.worst) told.push(`worst frame ${figure1(known.worst)} ms, ${figure1(known.dropped)} % dropped`);
    if (known.network) told.push(known.network, known.policy);
    if (known.reason) told.push(known.reason);
    return told;
  }

  function told(known, baseline) {
    const all = document.createDocumentFragment();
    lines(known, baseline).forEach((line, place) => {
      const part = document.createElement(place ? "div" : "b");
      part.textContent = line; // names come from outside: text, never HTML
      all.append(part);
    });
    return all;
  }

  // The card of a trial that is not on the front: its figures, and its export command where it can have one.
  function plainCard(known, baseline) {
    const card = document.createElement("article"), figures = document.createElement("dl");
    const add = (place, name, text, kind) => { const part = document.createElement(name); part.textContent = text; part.className = kind || ""; place.append(part); return part; };
    card.className = "card";
    add(card, "h3", title(known, baseline));
    if (!baseline && STATES[known.state]) add(card, "p", STATES[known.state], "hint");
    if (known.network) { const words = add(card, "p", known.network, "words"); words.append(document.createElement("br"), known.policy); }
    figures.className = "figures";
    const least = known.state === "refused" ? "at least " : "";
    for (const [name, value, unit, small] of [["mIoU", known.miou, " %", isKnown(known.own) ? `own-frame ${figure1(known.own)}` : ""],
      ["a frame", known.ms, " ms", `${known.source}${known.predicted ? `; predicted ${figure1(known.predicted)}` : ""}`],
      ["sustained", known.fps, " fps", ""], ["dropped frames", known.dropped, " %", ""], ["worst frame", known.worst, " ms", ""]]) {
      if (!isKnown(value)) continue;
      const part = document.createElement("div");
      add(part, "dt", name);
      const said = add(part, "dd", `${unit === " fps" ? "" : least}${figure1(value)}${unit}`);
      if (small) add(said, "small", small);
      figures.append(part);
    }
    card.append(figures);
    if (known.reason) add(card, "p", known.reason);
    if (isKnown(known.miou)) {
      const command = document.createElement("div");
      command.className = "command";
      const code = add(command, "code", ""), line = data.commands[baseline ? 1 : 0].replaceAll("NUMBER_OF_THE_TRIAL", known.number);
      line.split(" ").forEach((word, place) => { if (place) code.append(" "); add(code, "span", word); });
      const button = add(command, "button", "Copy", "copy");
      button.type = "button";
      card.append(command);
    }
    return card;
  }

  function hover(event) {
    if (touch) return; // a tap shows the card
    const number = event.points[0].customdata, known = typeof number === "number" && trial(number);
    if (!known) return;
    const tip = byId("tip");
    tip.replaceChildren(told(known, number < 0));
    tip.hidden = false;
    const { clientX: x, clientY: y } = event.event, width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = `${Math.max(4, x + 16 + width > innerWidth ? x - 16 - width : x + 16)}px`;
    tip.style.top = `${Math.max(4, y + 12 + height > innerHeight ? y - 12 - height : y + 12)}px`;
  }

  function pin(number) {
    const known = trial(number);
    if (!known) return;
    pinned = number;
    const panel = byId("pinned"), card = number >= 0 && byId(`trial-${number}`);
    if (card) {
      const copy = card.cloneNode(true);
      copy.removeAttribute("id");
      panel.replaceChildren(copy);
      const whole = document.createElement("p"), link = document.createElement("a");
      link.href = `#trial-${number}`;
      link.textContent = "Masks, classes and graphs";
      whole.className = "whole";
      whole.append(link);
      copy.querySelector(".command").before(whole);
    } else panel.replaceChildren(plainCard(known, number < 0));
    panel.scrollTop = 0;
    if (drawn.has("chart-front")) draw("chart-front");
  }

  // The front's chart with a ring around the trial whose card is shown.
  function front() {
    const figure = data.charts.front, trace = figure.data.find((each) => pinned !== null && (each.customdata || []).includes(pinned));
    if (!trace || trace.yaxis === "y2") return figure;
    const at = trace.customdata.indexOf(pinned);
    const ring = { x: [trace.x[at]], y: [trace.y[at]], type: "scatter", mode: "markers", marker: { size: 21, symbol: "circle-open" },
      meta: { role: "ink" }, hoverinfo: "skip", showlegend: false };
    return { ...figure, data: [...figure.data, ring] };
  }

  let overTime = false;
  function progress() {
    const figure = data.charts.progress, trace = figure.data[0];
    if (!overTime) return figure;
    return { data: [{ ...trace, x: trace.customdata, hovertemplate: "after %{x:.2f} h: %{y:.2f}<extra></extra>" }],
      layout: { ...figure.layout, xaxis: { title: { text: "hours of work" }, rangemode: "tozero" } } };
  }

  function slice() {
    const name = byId("slice").value, values = data.trials[`d:${name}`], { miou, place_ms: ms, number, state } = data.trials;
    const rows = number.map((_, row) => row).filter((row) => miou && miou[row] !== null && values[row] !== null && values[row] !== undefined);
    const numeric = rows.every((row) => values[row] !== "" && !Number.isNaN(Number(values[row])));
    const order = [...new Set(rows.map((row) => values[row]))].sort((a, b) => (numeric ? a - b : a < b ? -1 : 1));
    const on = (chosen, what, axis, role) => ({ x: chosen.map((row) => values[row]), y: chosen.map((row) => what[row]), customdata: chosen.map((row) => number[row]),
      yaxis: axis, mode: "markers", marker: { size: chosen.map((row) => (state[row] === "front" ? 10 : 6)), opacity: rows.length > 400 ? 0.35 : 0.8 }, hoverinfo: "none", meta: { role }, showlegend: false });
    return { data: [on(rows, miou, "y", "front"), on(rows, ms, "y2", "video")],
      layout: { margin: { l: 62, r: 18, t: 10, b: 44 }, hovermode: "closest", xaxis: { anchor: "y2", type: "category", categoryarray: order, categoryorder: "array", title: { text: name.replaceAll("_", " ") } },
        yaxis: { domain: [0.56, 1], title: { text: "mIoU (%)" } }, yaxis2: { domain: [0, 0.44], title: { text: "ms a frame" } } } };
  }

  function listen(id) {
    const place = byId(id);
    place.on("plotly_hover", hover);
    place.on("plotly_unhover", () => { byId("tip").hidden = true; });
    place.on("plotly_click", (event) => { const number = event.points[0].customdata; if (typeof number === "number") pin(number); });
  }

  async function copy(button) {
    const text = button.parentElement.querySelector("code").textContent;
    try { await navigator.clipboard.writeText(text); } catch (refused) {
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector("code"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") setTheme(theme === "dark" ? "light" : "dark", true);
    else if (button.classList.contains("copy")) copy(button);
    else if (button.dataset.progress) {
      overTime = button.dataset.progress === "hours";
      for (const each of document.querySelectorAll("[data-progress]")) each.classList.toggle("on", each === button);
      draw("chart-progress");
    }
  });

  async function open() {
    setTheme(theme, false);
    // plotly would keep a finger's movements for itself; of a tap the browser makes a click, which it sees.
    for (const place of document.querySelectorAll(".chart")) place.addEventListener("touchstart", (event) => event.stopPropagation(), { capture: true, passive: true });
    const [library, told_] = await Promise.all([unpack("packed-plotly"), unpack("packed-data")]);
    data = JSON.parse(told_);
    ((data.trials || {}).number || []).forEach((number, row) => rowOf.set(number, row));
    const script = document.createElement("script");
    script.textContent = library;
    document.head.append(script);
    drawn.set("chart-front", front);
    await draw("chart-front");
    listen("chart-front");
    const chart = byId("chart-front"), label = () => Labels.write(chart, COLOURS[theme]);
    label();
    chart.on("plotly_afterplot", label); // after a zoom, another size or another theme too
    whenSeen("chart-progress", progress);
    for (const name of ["importance", "stages"]) if (data.charts[name]) whenSeen(`chart-${name}`, () => data.charts[name]);
    if (byId("chart-slice")) {
      whenSeen("chart-slice", slice);
      const place = byId("chart-slice"), start = place.start;
      place.start = () => { start(); listen("chart-slice"); place.start = () => {}; };
      byId("slice").addEventListener("change", () => { place.start(); draw("chart-slice"); });
    }
    const asked = () => /^#trial-(\d+)$/.exec(location.hash), first = document.querySelector("#front .card");
    addEventListener("hashchange", () => { if (asked()) pin(Number(asked()[1])); });
    if (asked()) pin(Number(asked()[1])); else if (first && !narrow()) pin(Number(first.dataset.trial));
    root.dataset.ready = "yes";
  }

  let before = theme;
  addEventListener("beforeprint", () => {
    before = theme;
    for (const place of document.querySelectorAll(".chart")) if (place.start) place.start();
    setTheme("light", false);
  });
  addEventListener("afterprint", () => setTheme(before, false));
  open().catch((error) => {
    const told_ = document.createElement("p");
    told_.className = "failed-page";
    told_.textContent = `The charts could not be drawn (${error.message}). Use Chrome 80, Firefox 113, Safari 16.4 or later. The tables work without them.`;
    document.querySelector("main").prepend(told_);
    root.dataset.ready = "failed";
  });
})();
