"use strict";
// Labels of points, placed where they cover no point, no line and no other label. Units: pixels.
const Labels = (() => {
  const SIDES = [[-1, -1], [0, -1], [-1, 0], [1, 1], [0, 1], [1, 0], [1, -1], [-1, 1]]; // up and left of a front there is room
  const GAPS = [2, 7, 13]; // between a point and its label
  const CLEAR = 1.5; // around a label
  const REACH = 40; // beyond a label's size there is no point that it could cover

  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

  // Whether the line from (x1, y1) to (x2, y2) enters a box (Liang and Barsky, 1984).
  function crosses([x1, y1, x2, y2], box) {
    let from = 0, to = 1;
    for (const [step, room] of [[x1 - x2, x1 - box.left], [x2 - x1, box.right - x1], [y1 - y2, y1 - box.top], [y2 - y1, box.bottom - y1]]) {
      if (step === 0) { if (room < 0) return false; continue; }
      const at = room / step;
      if (step < 0) from = Math.max(from, at); else to = Math.min(to, at);
    }
    return from <= to;
  }

  // Return the place and width of each label, or null where there is no room. labels: {x, y, width, height, short}; the first ones
  // choose first; short: the width of the label cut to its number, where the whole has no room.
  // points: {x, y, radius}. lines: [x1, y1, x2, y2]. area: the box that holds all labels.
  function place(labels, points, lines, area) {
    const boxes = [];
    return labels.map((label) => {
      const own = (point) => Math.abs(point.x - label.x) < 1 && Math.abs(point.y - label.y) < 1;
      const near = points.filter(({ x, y }) => Math.abs(x - label.x) < label.width + REACH && Math.abs(y - label.y) < label.height + REACH);
      const radius = Math.max(0, ...near.filter(own).map((point) => point.radius)), others = near.filter((point) => !own(point));
      for (const width of label.short ? [label.width, label.short] : [label.width]) for (const gap of GAPS) for (const [right, down] of SIDES) {
        const away = (radius + gap) * (right && down ? 0.75 : 1);
        const left = label.x + right * away + (right - 1) * width / 2, top = label.y + down * away + (down - 1) * label.height / 2;
        const box = { left: left - CLEAR, top: top - CLEAR, right: left + width + CLEAR, bottom: top + label.height + CLEAR };
        if (box.left < area.left || box.top < area.top || box.right > area.right || box.bottom > area.bottom) continue;
        if (boxes.some((other) => meet(box, other)) || lines.some((line) => crosses(line, box))) continue;
        if (others.some(({ x, y, radius: r }) => meet(box, { left: x - r, top: y - r, right: x + r, bottom: y + r }))) continue;
        boxes.push(box);
        return { left, top, width };
      }
      return null;
    });
  }

  // Return the points and lines of a drawn plotly chart, and the area of its axes.
  function obstacles(chart) {
    const { xaxis: across, yaxis: up, yaxis2: second, shapes = [] } = chart._fullLayout, points = [], lines = [];
    const area = { left: across._offset, top: up._offset, right: across._offset + across._length, bottom: up._offset + up._length };
    const placeOf = (trace, at) => [across._offset + across.d2p(trace.x[at]), (trace.yaxis === "y2" ? second : up)._offset + (trace.yaxis === "y2" ? second : up).d2p(trace.y[at])];
    for (const trace of chart.data) {
      if (trace.visible === false || trace.visible === "legendonly") continue;
      const size = (trace.marker || {}).size, bars = trace.error_y, marked = /markers/.test(trace.mode), joined = /lines/.test(trace.mode);
      let before = null;
      trace.x.forEach((value, at) => {
        if (value === null) { before = null; return; }
        const [x, y] = placeOf(trace, at);
        if (marked) points.push({ x, y, radius: (Array.isArray(size) ? size[at] : size || 8) / 2 });
        if (bars) lines.push([x, up._offset + up.d2p(trace.y[at] + bars.array[at]), x, up._offset + up.d2p(trace.y[at] - bars.arrayminus[at])]);
        if (joined && before) {
          const corner = (trace.line || {}).shape === "hv" ? [x, before[1]] : [x, y];
          lines.push([...before, ...corner], [...corner, x, y]);
        }
        before = [x, y];
      });
    }
    for (const shape of shapes) { const x = across._offset + across.d2p(shape.x0); lines.push([x, area.top, x, area.bottom]); }
    return { points, lines, area, placeOf };
  }

  // Write the labels of `meta.labels` over a drawn chart; picks, which have a role of their own, choose first.
  function write(chart, colours) {
    const plot = chart.parentElement, old = plot.querySelector(".labels"), layer = document.createElement("div");
    if (old) old.remove();
    layer.className = "labels";
    layer.setAttribute("aria-hidden", "true");
    plot.append(layer);
    const { points, lines, area, placeOf } = obstacles(chart), wanted = [];
    for (const trace of chart.data) {
      const { labels = [], points: roles = [], role } = trace.meta || {};
      if (trace.visible === false || trace.visible === "legendonly") continue;
      labels.forEach((text, at) => {
        const [x, y] = placeOf(trace, at), pick = roles[at] && roles[at] !== role, span = document.createElement("span");
        if (x < area.left || x > area.right || y < area.top || y > area.bottom) return; // zoomed out of sight
        span.textContent = text; // names come from outside: text, never HTML
        span.style.color = pick ? colours[roles[at]] : role === "front" ? colours.ink : colours[role];
        span.className = pick ? "pick-label" : "";
        layer.append(span);
        wanted.push({ span, x, y, first: pick ? 0 : role === "front" ? 1 : 2 });
      });
    }
    for (const each of wanted) { each.width = each.span.offsetWidth; each.height = each.span.offsetHeight; } // one reflow for all
    for (const each of wanted) if (each.first === 0) { // a pick is named, or numbered at least
      each.whole = each.span.textContent;
      each.span.textContent = each.whole.split(" ")[0];
      each.short = each.span.offsetWidth;
    }
    wanted.sort((one, other) => one.first - other.first);
    place(wanted, points, lines, area).forEach((box, at) => {
      const { span, whole, width } = wanted[at];
      if (!box) { span.remove(); return; }
      if (whole && box.width === width) span.textContent = whole;
      span.style.left = `${box.left}px`;
      span.style.top = `${box.top}px`;
    });
  }

  return { place, write };
})();
