// What `test_layout.py` measures in a page. Each function returns what is wrong, in words.
const overlap = (a, b) => [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
const pairs = (all) => all.flatMap((one, at) => all.slice(at + 1).map((other) => [one, other]));

// Texts of one chart whose boxes overlap by more than a pixel.
function textsThatMeet() {
  return [...document.querySelectorAll(".chart")].flatMap((chart) => {
    const texts = [...chart.querySelectorAll("svg text"), ...chart.parentElement.querySelectorAll(".labels span")];
    const boxes = texts.map((each) => [each.textContent.trim(), each.getBoundingClientRect()]).filter(([text, box]) => text && box.width);
    return pairs(boxes).filter(([[, a], [, b]]) => overlap(a, b).every((px) => px > 1)).map(([[one], [other]]) => `${one} | ${other}`);
  });
}

// Texts of charts that reach beyond their chart.
function textsThatLeave() {
  return [...document.querySelectorAll(".chart")].flatMap((chart) => {
    const { left, right, top, bottom } = chart.getBoundingClientRect();
    return [...chart.querySelectorAll("svg text")].filter((each) => each.textContent.trim()).filter((each) => {
      const box = each.getBoundingClientRect();
      return box.width && (box.left < left - 1 || box.right > right + 1 || box.top < top - 1 || box.bottom > bottom + 1);
    }).map((each) => `${chart.id}: ${each.textContent}`);
  });
}

// Labels of the front's chart on a line or on a point.
function labelsOnLines() {
  const chart = document.getElementById("chart-front");
  const spots = [...chart.querySelectorAll(".scatterlayer path.js-line, .shapelayer path")].flatMap((line) => {
    const places = [], toScreen = line.getScreenCTM();
    for (let at = 0; at <= line.getTotalLength(); at += 2) places.push(line.getPointAtLength(at).matrixTransform(toScreen));
    return places;
  });
  const points = [...chart.querySelectorAll(".scatterlayer .point")].map((each) => each.getBoundingClientRect());
  return [...document.querySelectorAll(".labels span")].filter((label) => {
    const box = label.getBoundingClientRect();
    return spots.some(({ x, y }) => x > box.left && x < box.right && y > box.top && y < box.bottom)
      || points.some((point) => overlap(point, box).every((px) => px > 1.5));
  }).map((label) => label.textContent);
}

// Elements whose content is wider than they are; a table, a strip or a row of links may scroll by itself.
function whatIsCut() {
  return [...document.querySelectorAll("main *, header *, footer *")]
    .filter((each) => !each.closest("svg, .chart") && !each.querySelector(".cards, .picks"))
    .filter((each) => !each.matches(".scroll, .scroll *, .cards, .picks, .chips, #pinned, .track, .labels, code span"))
    .filter((each) => !each.closest("#pinned .scroll") && each.clientWidth && each.scrollWidth > each.clientWidth + 1)
    .map((each) => `${each.tagName}.${each.className}: ${each.textContent.trim().slice(0, 60)}`);
}

// Texts of one card whose lines overlap.
function textsOfCardsThatMeet() {
  return [...document.querySelectorAll(".pick, #front .card, #pinned .card")].flatMap((card) => {
    const leaves = [...card.querySelectorAll("*")].filter((each) => !each.children.length && each.textContent.trim() && !each.matches(".chip"));
    const boxes = leaves.flatMap((each) => {
      const range = document.createRange();
      range.selectNodeContents(each);
      return [...range.getClientRects()].map((line) => [each.textContent.trim(), line]); // a text may have several lines
    });
    return pairs(boxes).filter(([[, a], [, b]]) => { const [x, y] = overlap(a, b); return x > 1 && y > 3; }).map(([[one], [other]]) => `${one} | ${other}`);
  });
}

// Labels that the page's script places badly among random points and lines, and how many it placed, of how many.
function randomLabels(seed) {
  let state = seed;
  const dice = (most) => { state = (1103515245 * state + 12345) % 2147483648; return (most * state) / 2147483648; };
  const many = (most, make) => Array.from({ length: Math.floor(dice(most)) }, make);
  const area = { left: 60, top: 30, right: 360, bottom: 330 }, wrong = [];
  let placed = 0, wanted = 0;
  for (let round = 0; round < 50; round += 1) {
    const spot = () => ({ x: area.left + dice(300), y: area.top + dice(300) });
    const points = many(40, () => ({ ...spot(), radius: 2 + dice(8) })), lines = many(12, () => { const a = spot(), b = spot(); return [a.x, a.y, b.x, b.y]; });
    const labels = points.slice(0, 15).map(({ x, y }) => ({ x, y, width: 10 + dice(80), short: 8, height: 14 }));
    const boxes = Labels.place(labels, points, lines, area).map((box, at) => box && { ...box, right: box.left + box.width, bottom: box.top + labels[at].height, at });
    const found = boxes.filter(Boolean);
    wanted += labels.length;
    placed += found.length;
    pairs(found).forEach(([a, b]) => { if (overlap(a, b).every((px) => px > 0)) wrong.push(`${round}: ${a.at} on ${b.at}`); });
    for (const box of found) {
      if (box.left < area.left || box.top < area.top || box.right > area.right || box.bottom > area.bottom) wrong.push(`${round}: ${box.at} outside`);
      for (const { x, y } of points) if (x > box.left && x < box.right && y > box.top && y < box.bottom) wrong.push(`${round}: ${box.at} on a point`);
      for (const [x1, y1, x2, y2] of lines) for (let part = 0; part <= 1; part += 0.005) {
        const x = x1 + part * (x2 - x1), y = y1 + part * (y2 - y1);
        if (x > box.left && x < box.right && y > box.top && y < box.bottom) { wrong.push(`${round}: ${box.at} on a line`); break; }
      }
    }
  }
  return [wrong, placed, wanted];
}

// The width of a label that has room for its number alone: the whole would leave the area.
function widthInANarrowArea() {
  const area = { left: 0, top: 0, right: 50, bottom: 50 };
  return Labels.place([{ x: 25, y: 25, width: 60, short: 15, height: 12 }], [{ x: 25, y: 25, radius: 4 }], [], area)[0].width;
}
