"use strict";
// Charts one can look closer at, over the service's own: a line over days with columns below, drawn by uPlot. Drag, the buttons or
// + - 0 change the part that is shown; arrows go from day to day, Enter opens the rounds of a day. Without scripts the SVG stays.
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clock = (ms) => { const s = Math.round(ms / 1000); return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`; };
  const FORMS = {
    share: { says: (value) => `${(Math.floor(1000 * value + 1e-6) / 10).toFixed(1)} %`, steps: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5], most: 1 },
    ms: { says: clock, steps: [5e3, 15e3, 30e3, 60e3, 12e4, 3e5, 6e5, 18e5, 36e5], most: Infinity },
  };
  const DAYS = [1, 2, 7, 14, 28, 56, 112];
  const LEAST = 3; // days one still sees

  const make = (tag, facts, parent) => { const made = Object.assign(document.createElement(tag), facts); parent.append(made); return made; };

  const draw = (figure) => {
    const { title, points, second, ahead, target, unit, columns, range, words } = JSON.parse(figure.dataset.plot);
    const form = FORMS[unit], last = points.length - 1, end = last + ahead.length;
    if (last < LEAST) return;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const area = make("div", { className: "plot-area", tabIndex: 0 }, figure);
    for (const [name, value] of [["role", "slider"], ["aria-label", title], ["aria-valuemin", 0], ["aria-valuemax", last]]) area.setAttribute(name, value);
    const bar = make("p", { className: "plot-bar" }, figure);
    const buttons = make("span", {}, bar);
    const day = make("a", { className: "n plot-day" }, bar);
    const part = make("a", { className: "n plot-part" }, bar);
    const x = [...Array(end + 1).keys()];
    const fill = (values) => x.map((at) => values[at] ?? null);
    const most = Math.max(1, ...points.map((one) => one.column));
    const known = [...points.map((one) => one.value), ...second, ...ahead, target].filter((value) => value !== null && value !== undefined);
    const margin = Math.max(form.steps[0], (Math.max(...known) - Math.min(...known)) * 0.15);
    const floor = Math.max(0, Math.min(...known) - margin), top = Math.min(form.most, Math.max(...known) + margin);
    const line = (name, more) => ({ scale: "y", stroke: () => css(name), width: 2, points: { show: false }, spanGaps: true, ...more });
    const axis = { stroke: () => css("--muted"), grid: { show: true, stroke: () => css("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const above = (_, all) => all.map((value) => (value < floor ? null : value)); // below are the columns
    const plot = new uPlot({
      width: Math.max(280, figure.clientWidth), height: 280, legend: { show: false },
      cursor: { drag: { x: true, y: false, dist: 8 }, points: { size: 9 }, y: false },
      scales: { x: { time: false, range: (_, from, to) => [Math.max(-0.5, from), Math.min(end + 0.5, to)] }, y: { range: () => [floor - (top - floor) * 0.45, top] }, count: { range: () => [0, most * 4.5] } },
      axes: [
        { ...axis, grid: { show: false }, size: 32, incrs: DAYS, space: 56, values: (_, at) => at.map((one) => points[one]?.day.slice(5) ?? "") },
        { ...axis, scale: "y", size: 58, incrs: form.steps, filter: above, grid: { ...axis.grid, filter: above }, values: (_, all) => all.map((value) => (value === null ? "" : form.says(value))) },
      ],
      series: [
        {},
        { scale: "count", stroke: () => css(columns), fill: () => css(columns), paths: uPlot.paths.bars({ size: [0.6, 40] }), points: { show: false } },
        line("--calm-bar", { points: { show: true, size: 7, fill: () => css("--calm-bar") } }),
        line("--muted", { width: 1.5 }),
        line("--muted", { dash: [3, 4] }),
        line("--text", { width: 1, dash: [6, 3] }),
        line("--red", { paths: () => null, points: { show: true, size: 9, fill: () => css("--red") } }),
      ],
      hooks: { setCursor: [(shown) => { if (shown.cursor.idx !== null && shown.cursor.idx !== undefined) tell(shown.cursor.idx); }], setScale: [(shown, name) => { if (name === "x") tellPart(shown); }] },
    }, [
      x, fill(points.map((one) => one.column)), fill(points.map((one) => one.value)), fill(second),
      x.map((at) => (at < last ? null : at === last ? points[last].value : ahead[at - last - 1])), x.map(() => target), fill(points.map((one) => (one.low ? one.value : null))),
    ], area);

    let at = last;
    function link(node, url, says, count) {
      node.textContent = says;
      node.dataset.n = count ?? "";
      if (url) node.href = url; else node.removeAttribute("href");
    }
    function tell(index) {
      at = Math.min(index, last);
      const one = points[at];
      area.setAttribute("aria-valuenow", at);
      area.setAttribute("aria-valuetext", one.says);
      link(day, one.url, one.says, one.rounds);
    }
    function shownDays({ scales }) { return [Math.max(0, Math.ceil(scales.x.min)), Math.min(last, Math.floor(scales.x.max))]; }
    function tellPart(shown) {
      const [from, to] = shownDays(shown);
      part.hidden = from > to || (from <= 0 && to >= last);
      if (part.hidden) return;
      const count = points.slice(from, to + 1).reduce((sum, one) => sum + (one.rounds ?? 0), 0);
      const url = new URL(range, location.href);
      url.searchParams.set("first_day", points[from].day);
      url.searchParams.set("last_day", points[to].day);
      link(part, url, words.part.replace("{first}", points[from].day).replace("{last}", points[to].day).replace("{count}", count), count);
    }
    const look = (middle, wide, day) => { // so many days around one, the day still told
      const from = Math.min(end + 0.5 - wide, Math.max(-0.5, middle - wide / 2));
      plot.setScale("x", { min: from, max: from + wide });
      setTimeout(() => stand(day)); // once it is drawn
    };
    const stand = (day) => {
      plot.setCursor({ left: plot.valToPos(day, "x"), top: 10 }, false);
      tell(day);
    };
    const whole = () => look(end / 2, end + 1, at);
    const zoom = (factor) => look(at, Math.min(end + 1, Math.max(LEAST, (plot.scales.x.max - plot.scales.x.min) * factor)), at);
    const go = (index) => {
      const to = Math.min(last, Math.max(0, index)), { min, max } = plot.scales.x;
      if (to < min || to > max) look(to, max - min, to); else stand(to);
    };
    const open = () => { if (points[at].url) location.href = points[at].url; };
    const KEYS = {
      ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), PageUp: () => go(at - 7), PageDown: () => go(at + 7), Home: () => go(0), End: () => go(last),
      Enter: open, "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: whole,
    };
    area.addEventListener("keydown", (event) => {
      if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault(); event.stopPropagation();
      KEYS[event.key]();
    });
    area.addEventListener("focus", () => go(at));
    plot.over.addEventListener("click", open); // not after a drag: uPlot keeps that one
    for (const [says, sign, act] of [[words.closer, "+", () => zoom(0.5)], [words.wider, "−", () => zoom(2)], [words.whole, "↔", whole]]) {
      make("button", { type: "button", textContent: sign, ariaLabel: says, title: says, onclick: act }, buttons);
    }
    make("small", { textContent: words.keys }, bar);
    tell(last); tellPart(plot);
    figure.querySelector(".chart-wide").hidden = true;
    new ResizeObserver(() => { if (figure.clientWidth > 0 && figure.clientWidth !== plot.width) plot.setSize({ width: figure.clientWidth, height: 280 }); }).observe(figure);
    dark.addEventListener("change", () => plot.redraw());
  };

  document.querySelectorAll("[data-plot]").forEach(draw);
})();
