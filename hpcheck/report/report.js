// Values under the pointer or the arrow keys, switches for curves, clues that light their boxes, copying. Without it the page is whole but still.
"use strict";

const number = (value) => {
  if (value === null || value === undefined) return "\u2013";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
};

const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};

const share = (value, low, high, log) =>
  log ? (Math.log10(value) - Math.log10(low)) / (Math.log10(high) - Math.log10(low)) : (value - low) / (high - low);

function follow(plots, data, hidden) {
  const view = plots.dataset.view.split(",").map(Number);
  const inView = (x) => x !== null && x >= view[0] && x <= view[1];
  const xs = [...new Set(data.series.flatMap((line) => line.x))].filter(inView).sort((a, b) => a - b);
  const readout = element("div", undefined, "readout");
  readout.hidden = true;
  readout.setAttribute("role", "status");
  plots.append(readout);
  let at = -1;

  const shown = () => [...plots.querySelectorAll("svg.plot")].find((svg) => svg.getClientRects().length);

  const valuesAt = (line, x) => {
    const index = line.x.indexOf(x);
    if (index < 0) return null;
    const fit = line.smooth.length ? line.smooth[index] : null;
    const band = line.low ? ` [${number(line.low[index])}, ${number(line.high[index])}]` : "";
    const raw = data.series.length > 4 ? "" : ` (raw ${number(line.raw[index])})`;
    return fit === null ? number(line.raw[index]) : `${number(fit)}${band}${raw}`;
  };

  const show = (index) => {
    const svg = shown();
    if (!svg || !xs.length) return;
    at = Math.min(Math.max(index, 0), xs.length - 1);
    const x = xs[at];
    const [left, , right] = svg.dataset.box.split(",").map(Number);
    const [low, high] = view;
    const pixel = left + (right - left) * share(x, low, high, data.log[0]);
    const cursor = svg.querySelector(".cursor");
    cursor.setAttribute("x1", pixel);
    cursor.setAttribute("x2", pixel);
    cursor.setAttribute("visibility", "visible");
    readout.replaceChildren(element("div", `${data.x_label} ${number(x)}`));
    data.series.forEach((line, which) => {
      const value = hidden.has(which) ? null : valuesAt(line, x);
      if (value === null) return;
      const row = element("div");
      row.append(element("i", line.label, `s${which % 7}`), element("span", value));
      readout.append(row);
    });
    readout.hidden = false;
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const room = plots.clientWidth;
    const wide = readout.offsetWidth;
    const beside = pixel * scale + 14;
    readout.style.left = `${beside + wide < room ? beside : Math.max(0, pixel * scale - wide - 14)}px`;
    readout.style.top = "4px";
  };

  const hide = () => {
    readout.hidden = true;
    plots.querySelectorAll(".cursor").forEach((cursor) => cursor.setAttribute("visibility", "hidden"));
  };

  plots.tabIndex = 0;
  plots.setAttribute("role", "group");
  plots.setAttribute("aria-label", `${plots.dataset.label}: arrow keys read its values`);
  plots.addEventListener("pointermove", (event) => {
    const svg = shown();
    if (!svg) return;
    const frame = svg.getBoundingClientRect();
    const [left, , right] = svg.dataset.box.split(",").map(Number);
    const place = ((event.clientX - frame.left) / frame.width * svg.viewBox.baseVal.width - left) / (right - left);
    if (place < -0.05 || place > 1.05) return hide();
    const [low, high] = view;
    const distances = xs.map((x) => Math.abs(share(x, low, high, data.log[0]) - place));
    show(distances.indexOf(Math.min(...distances)));
  });
  plots.addEventListener("pointerleave", hide);
  plots.addEventListener("blur", hide);
  plots.addEventListener("keydown", (event) => {
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: xs.length - 1 };
    if (event.key === "Escape") return hide();
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(moves[event.key]);
  });
}

function switches(figure, data, hidden) {
  const part = element("details", undefined, "curves");
  const list = element("ul");
  part.append(element("summary", "Show or hide curves"), list);
  data.series.forEach((line, which) => {
    const button = element("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(element("i", undefined, `s${which % 7}`), element("span", line.label));
    button.addEventListener("click", () => {
      const visible = hidden.has(which);
      if (visible) hidden.delete(which); else hidden.add(which);
      button.setAttribute("aria-pressed", String(visible));
      figure.querySelectorAll(`.plots [data-series="${which}"]`).forEach((curve) => curve.classList.toggle("off", !visible));
    });
    const item = element("li");
    item.append(button);
    list.append(item);
  });
  return part;
}

function setUp(figure) {
  const block = figure.querySelector('script[type="application/json"]');
  if (!block) return;
  const data = JSON.parse(block.textContent);
  const hidden = new Set();
  figure.querySelectorAll(".plots").forEach((plots) => follow(plots, data, hidden));

  if (data.series.length > 1) figure.append(switches(figure, data, hidden));

  const light = (clue, on) => figure.querySelectorAll(`[data-clue="${clue}"]`).forEach((part) => part.classList.toggle("lit", on));
  figure.querySelectorAll("[data-clue]").forEach((part) => {
    part.addEventListener("pointerenter", () => light(part.dataset.clue, true));
    part.addEventListener("pointerleave", () => light(part.dataset.clue, false));
  });
}

function addCopy(pre) {
  const button = element("button", "Copy", "copy");
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2500);
  });
  pre.before(button);
}

document.querySelectorAll(".figure").forEach(setUp);
document.querySelectorAll("#use pre").forEach(addCopy);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
