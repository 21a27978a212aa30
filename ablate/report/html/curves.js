// The curves: a plot a metric, a line an arm, drawn when they come into sight. One set of buttons shows an arm in all of them.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("curve-data").textContent);
  const buttons = [...document.querySelectorAll("#arms [data-arm]")];
  const shown = buttons.map((button) => button.getAttribute("aria-pressed") === "true");
  const plots = new Map(); // place in data.plots → Plot
  const FACE = "STIXGeneral, 'Libertinus Serif', 'Times New Roman', serif";
  const INK = "#1F2933", SOFT = "#5B6572", GRID = "#EBEEF1";
  const FEW = 12; // a metric logged this rarely shows its points

  // It lies beside the pointer, so half of the plot is what it has.
  const tooltip = (width) => `<div style="font: 14px/1.3 ${FACE}; color: ${INK}; max-width: ${width}px; overflow-wrap: anywhere">
    <span style="color: @colour; font-weight: 700">●</span> @arm<br>
    <b>@values</b> <span style="color: ${SOFT}">@interval<br>@at</span></div>`;

  const numbers = (values) => Float64Array.from(values, (value) => value ?? NaN);
  const said = (value) => {
    if (!Number.isFinite(value)) return "–";
    const size = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
    const text = size < -4 || size > 6 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
    return text.replaceAll("-", "−");
  };

  // "forward 190", or "forwards 190–199" where a point is a mean over a window, whose middle is its step.
  const when = (drawn) => (step) => {
    if (drawn.window === 1) return `${drawn.x} ${said(step)}`;
    const first = step - (drawn.window - 1) / 2;
    return `${drawn.x}s ${said(first)}–${said(first + drawn.window - 1)}`;
  };

  const axis = (label) => ({
    axis_label: label, axis_label_text_font: FACE, axis_label_text_font_size: "13px", axis_label_text_font_style: "normal",
    axis_label_text_color: SOFT, axis_label_standoff: 6, major_label_text_font: FACE, major_label_text_font_size: "13px",
    major_label_text_color: INK, axis_line_color: "#B5BCC5", major_tick_line_color: "#B5BCC5", minor_tick_line_color: null,
    major_tick_in: 0, major_tick_out: 4,
  });

  class Plot {
    constructor(box, drawn) {
      this.drawn = drawn;
      this.arms = new Map(); // arm → its renderers
      this.starts = new Map(); // step at which something began → its line
      const fine = matchMedia("(pointer: fine)").matches;
      const [start, end] = drawn.range;
      this.figure = new Bokeh.Plotting.Figure({
        tools: [], height: box.clientHeight, sizing_mode: "stretch_width", toolbar_location: "above", toolbar_inner: false,
        y_range: new Bokeh.Range1d({ start, end }), outline_line_color: null, background_fill_alpha: 0, border_fill_alpha: 0,
        min_border_left: 40, min_border_right: 10, lod_threshold: null, name: `plot-${drawn.metric}`,
      });
      const zoom = new Bokeh.BoxZoomTool();
      this.hover = new Bokeh.HoverTool({ renderers: [], tooltips: tooltip(Math.min(260, box.clientWidth / 2 - 50)), limit: 4, mode: "mouse", line_policy: "nearest", show_arrow: false, visible: false });
      this.figure.add_tools(new Bokeh.PanTool(), zoom, new Bokeh.ResetTool(), this.hover);
      Object.assign(this.figure.toolbar, { logo: null, autohide: true, active_drag: fine ? zoom : null, active_scroll: null });
      for (const [each, label] of [[this.figure.xaxis, drawn.x], [this.figure.yaxis, null]]) {
        for (const one of each) one.setv(axis(label));
      }
      for (const location of new Set(drawn.starts.flat())) {
        const line = new Bokeh.Span({ location, dimension: "height", line_color: "#7B8794", line_width: 1, level: "underlay" });
        this.figure.add_layout(line);
        this.starts.set(location, line);
      }
      for (const one of this.figure.xgrid) one.grid_line_color = null;
      for (const one of this.figure.ygrid) one.setv({ grid_line_color: GRID, level: "image" });
    }

    // The arm's renderers, made when it is first shown.
    made(index) {
      if (!this.arms.has(index)) this.arms.set(index, this.make(index));
      return this.arms.get(index);
    }

    make(index) {
      const band = this.drawn.bands[index], level = this.drawn.levels[index], arm = data.arms[index];
      if (!band) return [];
      const steps = numbers(this.drawn.grids[band.grid]);
      const [mean, low, high] = [band.mean, band.low, band.high].map(numbers);
      const words = {
        at: Array.from(steps, when(this.drawn)),
        values: Array.from(mean, said),
        interval: Array.from(mean, (_, i) => (band.seeds > 1 ? `[${said(low[i])}, ${said(high[i])}]` : "one seed")),
        arm: Array(steps.length).fill(arm.label),
        colour: Array(steps.length).fill(arm.colour),
      };
      const source = new Bokeh.ColumnDataSource({ data: { steps, mean, low, high, ...words } });
      const style = { line_color: arm.colour, line_width: arm.width, line_dash: arm.dash, line_join: "round" };
      const made = [];
      if (band.seeds > 1) {
        made.push(this.figure.varea({ field: "steps" }, { field: "low" }, { field: "high" }, { source, fill_color: arm.colour, fill_alpha: 0.1, level: "underlay" }));
      }
      made.push(this.figure.line({ field: "steps" }, { field: "mean" }, { source, ...style, name: arm.label }));
      if (steps.length <= FEW) {
        made.push(this.figure.scatter({ field: "steps" }, { field: "mean" }, { source, size: 5, fill_color: arm.colour, line_color: null }));
      }
      if (level) {
        const chance = new Bokeh.ColumnDataSource({ data: { steps: numbers(this.drawn.grids[level.grid]), mean: numbers(level.mean) } });
        made.push(this.figure.line({ field: "steps" }, { field: "mean" }, { source: chance, ...style, line_width: 1, line_dash: [1, 3] }));
      }
      // A pointer need not hit a line exactly.
      const near = this.figure.line({ field: "steps" }, { field: "mean" }, { source, line_color: arm.colour, line_alpha: 0, line_width: 9, name: arm.label });
      this.hover.renderers = [...this.hover.renderers, near];
      made.push(near);
      return made;
    }

    // A pointer over an arm's button finds its line.
    stress(index, on) {
      for (const each of this.arms.get(index) ?? []) {
        if (each.glyph?.line_alpha?.value !== 0 && each.glyph?.line_dash) each.glyph.line_width = data.arms[index].width * (on ? 2.2 : 1);
      }
    }

    show() {
      shown.forEach((on, index) => {
        if (on || this.arms.has(index)) for (const each of this.made(index)) each.visible = on;
      });
      for (const [at, line] of this.starts) line.visible = this.drawn.starts.some((steps, index) => shown[index] && steps.includes(at));
    }
  }

  const draw = (box) => {
    const place = Number(box.dataset.plot);
    if (plots.has(place)) return;
    const plot = new Plot(box, data.plots[place]);
    plots.set(place, plot);
    plot.show();
    Bokeh.Plotting.show(plot.figure, box);
  };
  const apply = () => {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(shown[index])));
    for (const plot of plots.values()) plot.show();
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => {
      shown[index] = !shown[index];
      apply();
    });
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false]]) {
      button.addEventListener(event, () => plots.forEach((plot) => plot.stress(index, on)));
    }
  });
  const kinds = { all: ["end", "single", "other"], none: [], end: ["end"], single: ["end", "single"] };
  for (const button of document.querySelectorAll("#arms [data-show]")) {
    button.addEventListener("click", () => {
      data.arms.forEach((arm, index) => (shown[index] = kinds[button.dataset.show].includes(arm.kind)));
      apply();
    });
  }

  const boxes = [...document.querySelectorAll("[data-plot]")];
  const sight = new IntersectionObserver(
    (seen) => {
      for (const { isIntersecting, target } of seen) if (isIntersecting) draw(target);
    },
    { rootMargin: "400px" },
  );
  // The typeface first: a canvas does not draw its text again when it arrives.
  document.fonts.load("13px STIXGeneral").finally(() => {
    for (const box of boxes) sight.observe(box);
  });
  addEventListener("beforeprint", () => boxes.forEach(draw));
  window.ablate = { data, plots, shown, draw: () => boxes.forEach(draw) };
})();
