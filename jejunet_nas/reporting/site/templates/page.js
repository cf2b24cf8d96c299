"use strict";
// Draws the charts in the colours of the theme, and shows the card of a trial when its point is clicked.
(() => {
  const COLOURS = {
    light: { front: "#0072b2", video: "#d55e00", knee: "#009e73", dominated: "#8c8c8c", over: "#b5b5b5", refused: "#a0a7ad", baseline: "#d55e00",
      published: "#cc79a7", prediction: "#56b4e9", ink: "#1d2329", pale: "#5c6873", line: "#e3e7eb", page: "#ffffff" },
    dark: { front: "#56b4e9", video: "#f0945a", knee: "#2fc49a", dominated: "#8a949d", over: "#5d6770", refused: "#66717b", baseline: "#f0945a",
      published: "#e19cc3", prediction: "#9ad2f5", ink: "#e6eaee", pale: "#9aa7b3", line: "#2b333b", page: "#14181c" },
  };
  const SIZES = { front: 11, dominated: 7, over: 7 };
  const HOLLOW = ["over"];
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
      const role = (trace.meta || {}).role, colour = c[role] || c.front;
      const marker = { ...(trace.marker || {}), color: colour };
      if (SIZES[role] && !("size" in marker)) marker.size = SIZES[role];
      if (HOLLOW.includes(role)) marker.symbol = [].concat(marker.symbol).map((s) => `${s}-open`);
      else if (role === "front" && trace.mode === "markers") marker.line = { width: 1.5, color: c.page };
      // WebGL draws thousands of points; SVG takes seconds.
      const type = trace.type === "scatter" && trace.x.length > 1500 && hasWebGL() ? "scattergl" : trace.type;
      return { ...trace, type, marker, line: { ...(trace.line || {}), color: colour }, textfont: { color: c.pale, size: 12 },
        error_y: trace.error_y ? { ...trace.error_y, color: colour } : undefined };
    });
    const axis = { gridcolor: c.line, linecolor: c.line, zerolinecolor: c.line, automargin: true };
    const layout = { ...figure.layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: c.ink, size: 13, family: "system-ui, sans-serif" },
      modebar: { orientation: "v", bgcolor: "rgba(0,0,0,0)", color: c.pale, activecolor: c.front },
      hoverlabel: { bgcolor: c.page, bordercolor: c.line, font: { color: c.ink } } };
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(layout)])) if (/^[xy]axis/.test(name)) layout[name] = { ...axis, ...layout[name] };
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
    return Plotly.react(byId(id), figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: id === "chart-front" && width > 500 ? "hover" : false, modeBarButtonsToRemove: ["select2d", "lasso2d"] });
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

  const figure1 = (value) => (value === null || value === undefined ? "–" : value.toFixed(1));

  function lines(known, baseline) {
    const told = [`${baseline ? "Baseline trial" : "Trial"} ${known.number}${baseline ? "" : `, ${known.state}`}`];
    if (known.miou !== null && known.miou !== undefined) told.push(`${figure1(known.miou)} % mIoU`);
    if (known.ms) told.push(`${known.state === "refused" ? "at least " : ""}${figure1(known.ms)} ms, ${figure1(1000 / known.ms)} fps, ${known.source}` + (known.predicted ? ` (predicted ${figure1(known.predicted)})` : ""));
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

  function hover(event) {
    const number = event.points[0].customdata, known = typeof number === "number" && trial(number);
    if (!known) return;
    const tip = byId("tip");
    tip.replaceChildren(told(known, number < 0));
    tip.hidden = false;
    const { clientX: x, clientY: y } = event.event, width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = `${Math.max(4, x + 16 + width > innerWidth ? x - 16 - width : x + 16)}px`;
    tip.style.top = `${Math.max(4, y + 12 + height > innerHeight ? y - 12 - height : y + 12)}px`;
  }

  function pin(number, scroll) {
    const known = trial(number);
    if (!known) return;
    pinned = number;
    const panel = byId("pinned"), card = number >= 0 && byId(`trial-${number}`);
    if (card) {
      const copy = card.cloneNode(true);
      copy.removeAttribute("id");
      panel.replaceChildren(copy);
    } else panel.replaceChildren(told(known, number < 0));
    panel.scrollTop = 0;
    if (drawn.has("chart-front")) draw("chart-front");
    if (scroll) byId("chart-front").scrollIntoView({ block: "center", behavior: "smooth" });
  }

  // The front's chart with a ring around the trial whose card is shown.
  function front() {
    const figure = data.charts.front, known = pinned === null ? null : trial(pinned);
    if (!known || known.ms === undefined || known.miou === null || known.miou === undefined) return figure;
    const ring = { x: [known.ms], y: [known.miou], mode: "markers", marker: { size: 20, symbol: "circle-open", line: { width: 2.5 } },
      meta: { role: "video" }, hoverinfo: "skip", showlegend: false };
    return { ...figure, data: [...figure.data, ring] };
  }

  let overTime = false;
  function progress() {
    const figure = data.charts.progress, trace = figure.data[0];
    if (!overTime) return figure;
    return { data: [{ ...trace, x: trace.customdata, hovertemplate: "after %{x:.2f} h: %{y:.2f}<extra></extra>" }],
      layout: { ...figure.layout, xaxis: { title: { text: "hours of work" } } } };
  }

  function slice() {
    const name = byId("slice").value, values = data.trials[`d:${name}`], { miou, ms, number, state } = data.trials;
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
    else if (button.classList.contains("show")) pin(Number(button.dataset.trial), true);
    else if (button.dataset.progress) {
      overTime = button.dataset.progress === "hours";
      for (const each of document.querySelectorAll("[data-progress]")) each.classList.toggle("on", each === button);
      draw("chart-progress");
    }
  });

  async function open() {
    setTheme(theme, false);
    const [library, told_] = await Promise.all([unpack("packed-plotly"), unpack("packed-data")]);
    data = JSON.parse(told_);
    ((data.trials || {}).number || []).forEach((number, row) => rowOf.set(number, row));
    const script = document.createElement("script");
    script.textContent = library;
    document.head.append(script);
    drawn.set("chart-front", front);
    await draw("chart-front");
    listen("chart-front");
    whenSeen("chart-progress", progress);
    for (const name of ["importance", "stages"]) if (data.charts[name]) whenSeen(`chart-${name}`, () => data.charts[name]);
    if (byId("chart-slice")) {
      whenSeen("chart-slice", slice);
      const place = byId("chart-slice"), start = place.start;
      place.start = () => { start(); listen("chart-slice"); place.start = () => {}; };
      byId("slice").addEventListener("change", () => { place.start(); draw("chart-slice"); });
    }
    const asked = /^#trial-(\d+)$/.exec(location.hash);
    const first = document.querySelector(".card");
    if (asked) pin(Number(asked[1])); else if (first) pin(Number(first.dataset.trial));
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
