"use strict";
// Live panels: each fills the element whose data-panel names it, from the JSON inside. No library, no network.
(() => {
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const floats = text => new Float32Array(bytes(text).buffer);
  const sigmoid = x => 1 / (1 + Math.exp(-x));
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  /** Creates an element; properties whose names start with "on" are listeners. */
  const make = (tag, properties, ...inside) => {
    const made = tag === "svg" || tag === "path" || tag === "line"
      ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value);
    }
    made.append(...inside);
    return made;
  };
  /** A slider with its label and value. */
  const slider = (text, [min, max, step], value, change, show = x => x) => {
    const output = make("output", {}, show(value));
    const input = make("input", {type: "range", min, max, step, value,
      oninput: () => { output.value = show(+input.value); change(+input.value); }});
    const label = make("label", {}, make("span", {}, text + ": ", output), input);
    label.set = value => { input.value = value; output.value = show(+input.value); };
    return label;
  };
  const button = (text, click) => make("button", {type: "button", onclick: click}, text);
  const canvas = ([height, width], size, label) => make("canvas", {width, height, role: "img", "aria-label": label,
    style: `width:${size}px;aspect-ratio:${width}/${height}`});
  /** Random numbers in 0..1 that depend on the seed alone (mulberry32). */
  const random = seed => () => {
    let t = seed += 0x6D2B79F5;
    t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
  /** Draws grey values in 0..1; pixels that are not known are amber. */
  const draw = (canvas, values, known) => {
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    values.forEach((value, i) => {
      const grey = 255 * value;
      image.data.set(!known || known[i] ? [grey, grey, grey, 255] : [180 + 75 * value, 95 + 147 * value, 6 + 208 * value, 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
  };

  /** A restricted Boltzmann machine: 4-bit weights, one scale for each hidden unit; pixels that are never on are left out. */
  const rbm = data => {
    const pixels = data.pixels, hidden = data.hidden, packed = bytes(data.weights), scale = floats(data.scales);
    const bias = {visible: floats(data.visible_bias), hidden: floats(data.hidden_bias)};
    // By pixel, then by hidden unit.
    const weights = new Float32Array(hidden * pixels.length);
    for (let k = 0; k < weights.length; k++) {
      const code = (packed[k >> 1] >> 4 * (k & 1) & 15) - 7, unit = Math.floor(k / pixels.length);
      weights[k % pixels.length * hidden + unit] = code * Math.abs(code) / 49 * scale[unit];
    }
    /** Adds the weights of some pixels, by their place in `pixels`, to the inputs of the hidden units. */
    const add = (inputs, places) => {
      for (const place of places) for (let j = 0, at = place * hidden; j < hidden; j++) inputs[j] += weights[at++];
      return inputs;
    };
    const on = image => [...pixels.keys()].filter(place => image[pixels[place]] > 0.5);
    return {
      hidden: image => Float64Array.from(add(Float64Array.from(bias.hidden), on(image)), sigmoid),
      /** The mean of the missing pixels over the second half of the steps of a chain; the others are fixed. */
      fill: (image, missing, steps, next) => {
        const state = image.slice(), places = [...pixels.keys()].filter(place => missing[pixels[place]]), mean = new Float64Array(image.length);
        const known = add(Float64Array.from(bias.hidden), on(image).filter(place => !missing[pixels[place]]));
        const inputs = new Float64Array(hidden), active = new Uint16Array(hidden);
        for (let step = 1; step <= steps; step++) {
          inputs.set(known);
          add(inputs, places.filter(place => state[pixels[place]]));
          let count = 0;
          for (let j = 0; j < hidden; j++) if (next() < sigmoid(inputs[j])) active[count++] = j;
          for (const place of places) {
            let sum = bias.visible[place];
            for (let k = 0, at = place * hidden; k < count; k++) sum += weights[at + active[k]];
            const p = sigmoid(sum);
            state[pixels[place]] = +(next() < p);
            if (2 * step > steps) mean[pixels[place]] += p;
          }
        }
        return mean.map(sum => sum / (steps - Math.floor(steps / 2)));
      },
    };
  };

  const panels = {
    /** Removed pixels of a digit, filled in by Gibbs sampling with the known pixels fixed. */
    restore(data, live) {
      const machine = live.machine = rbm(data), size = [data.height, data.width], count = data.height * data.width;
      const digits = data.images.map(text => Array.from(bytes(text)));
      let truth, values, known, rows = Math.round(data.height / 4), first = Math.round(3 * data.height / 8), steps = 20;
      let tool = "unknown", cursor = [0, 0];
      const before = canvas(size, 196, "The digit; removed pixels are amber"), after = canvas(size, 196, "The restored digit");
      before.tabIndex = 0;
      const said = make("p", {"aria-live": "polite"});
      const show = () => {
        draw(before, values, known);
        const next = random(7), missing = known.map(k => !k);
        const chains = [1, 2, 3].map(() => machine.fill(values.map((x, i) => missing[i] ? +(next() < data.mean[i]) : x), missing, steps, next));
        const filled = values.map((x, i) => missing[i] ? (chains[0][i] + chains[1][i] + chains[2][i]) / 3 : x);
        draw(after, filled);
        const error = of => values.reduce((sum, _, i) => sum + (missing[i] ? (of[i] - truth[i]) ** 2 : 0), 0);
        const removed = missing.filter(Boolean).length;
        said.textContent = removed === 0 ? "No pixel is removed." : `${removed} pixels filled in. Mean squared error per removed pixel: `
          + `${(error(filled) / removed).toFixed(3)}; of the mean training image: ${(error(data.mean) / removed).toFixed(3)}.`;
        live.filled = filled;
      };
      const remove = () => { known = values.map((_, i) => { const row = Math.floor(i / data.width); return row < first || row >= first + rows; }); };
      const choose = i => { truth = digits[i].map(x => +(x > 127)); values = [...truth]; remove(); show(); };
      const paint = (row, column) => {
        for (const [r, c] of [[row, column], [row + 1, column], [row, column + 1], [row + 1, column + 1]]) {
          if (r < 0 || c < 0 || r >= data.height || c >= data.width) continue;
          const i = r * data.width + c;
          known[i] = tool !== "unknown";
          if (known[i]) values[i] = +(tool === "ink");
        }
        show();
      };
      const drag = event => {
        if (!event.buttons) return;
        const box = before.getBoundingClientRect();
        paint(Math.floor((event.clientY - box.top) / box.height * data.height), Math.floor((event.clientX - box.left) / box.width * data.width));
        event.preventDefault();
      };
      before.style.touchAction = "none";
      before.addEventListener("pointerdown", drag);
      before.addEventListener("pointermove", drag);
      before.addEventListener("keydown", event => {
        const move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], " ": [0, 0]}[event.key];
        if (!move) return;
        event.preventDefault();
        cursor = [clamp(cursor[0] + move[0], 0, data.height - 1), clamp(cursor[1] + move[1], 0, data.width - 1)];
        paint(...cursor);
      });
      const tools = make("select", {onchange: event => { tool = event.target.value; }}, make("option", {value: "unknown"}, "remove pixels"),
        make("option", {value: "ink"}, "draw ink"), make("option", {value: "paper"}, "draw background"));
      const thumbs = digits.map((digit, i) => {
        const small = canvas(size, 36, `digit ${i + 1}`);
        draw(small, digit.map(x => x / 255));
        const thumb = button("", () => choose(i));
        thumb.append(small);
        return thumb;
      });
      live.append(make("div", {class: "row"}, ...thumbs), make("div", {class: "row"}, before, after),
        make("div", {class: "row"}, slider("Rows removed", [0, data.height, 1], rows, x => { rows = x; remove(); show(); }),
          slider("First removed row", [0, data.height - 1, 1], first, x => { first = x; remove(); show(); }),
          slider("Gibbs steps", [1, 30, 1], steps, x => { steps = x; show(); }),
          make("label", {}, make("span", {}, "On the left digit: "), tools)), said);
      choose(0);
    },

    /** Real or generated: the reader's answers beside the discriminator's. */
    judge(data, live) {
      const images = data.images.map(text => Array.from(bytes(text), x => x / 255));
      const picture = canvas([data.height, data.width], 196, "A digit that is real or generated"), said = make("p", {"aria-live": "polite"});
      let at = 0, own = 0, other = 0;
      const show = () => { if (at < images.length) draw(picture, images[at]); };
      const answer = real => {
        if (at === images.length) return;
        const is = data.real[at], p = data.probability[at];
        own += +(real === is);
        other += +((p > 0.5) === is);
        at++;
        said.textContent = `It was ${is ? "real" : "generated"}; the discriminator's probability for real was ${Math.round(100 * p)} %. `
          + `Right so far: you ${own} of ${at}, the discriminator ${other} of ${at}.` + (at === images.length ? " These were all images." : "");
        show();
      };
      live.append(make("div", {class: "row"}, picture, make("div", {class: "answers"}, button("Real", () => answer(true)),
        button("Generated", () => answer(false)), said)));
      said.textContent = `${images.length} images, half of them real. Which is this?`;
      show();
    },

    /** The divergences between N(0, 1) and N(shift, 1), and their gradients as arrows. */
    shift(data, live) {
      const width = 640, height = 120, last = data.shifts.length - 1, most = data.shifts[last];
      const x = value => width * (value + most) / (2 * most), drawing = make("svg", {viewBox: `0 0 ${width} ${height + 8}`, role: "img", "aria-label": "Densities of the data and of the generator"});
      const density = (mean, style) => {
        let path = "";
        for (let i = 0; i <= 320; i++) {
          const value = -most + i * most / 160;
          path += `${i ? "L" : "M"}${x(value).toFixed(1)},${(height * (1.02 - 0.95 * Math.exp(-0.5 * (value - mean) ** 2))).toFixed(1)}`;
        }
        return make("path", {d: path, class: style, fill: "none"});
      };
      const body = make("tbody");
      const show = shift => {
        const i = Math.round(Math.abs(shift) / most * last), sign = Math.sign(shift);
        drawing.replaceChildren(density(0, "data"), density(shift, "generator"));
        body.replaceChildren(...data.divergences.map(({name, values, gradients}) => {
          // The generator goes down the gradient: towards the data.
          const gradient = sign * gradients[i], length = clamp(Math.abs(gradient), 0, 1.5) * 80, towards = -Math.sign(gradient);
          const arrow = make("svg", {viewBox: "-130 -8 260 16", width: 200, height: 14, "aria-hidden": "true"});
          if (length > 0.5) {
            const end = towards * length;
            arrow.append(make("line", {x1: 0, x2: end, y1: 0, y2: 0}), make("path", {d: `M${end},0l${-8 * towards},-5v10z`}));
          }
          return make("tr", {}, make("td", {}, name), make("td", {class: "number"}, values[i].toFixed(3)),
            make("td", {class: "number"}, Math.abs(gradient) < 5e-4 && gradient !== 0 ? gradient.toExponential(0) : gradient.toFixed(3)), make("td", {}, arrow));
        }));
        live.shift = shift;
      };
      const control = slider("Shift of the generator", [-most, most, 2 * most / (2 * last)], 3, show, value => value.toFixed(2));
      const drag = event => {
        if (!event.buttons) return;
        const box = drawing.getBoundingClientRect(), step = most / last;
        const shift = clamp(Math.round(((event.clientX - box.left) / box.width * 2 - 1) * most / step) * step, -most, most);
        control.set(shift);
        show(shift);
      };
      drawing.addEventListener("pointerdown", drag);
      drawing.addEventListener("pointermove", drag);
      const head = make("tr", {}, ...["Divergence", "value", "gradient", "a step moves the generator"].map(text => make("th", {scope: "col"}, text)));
      live.append(drawing, control, make("div", {class: "scroll"}, make("table", {}, make("thead", {}, head), body)));
      show(3);
    },

    /** A colour of one image, and the colours of the other that its mass goes to. */
    flow(data, live) {
      const said = make("p", {"aria-live": "polite"}), swatches = make("div", {class: "row"}), targets = make("div", {class: "row"});
      const css = colour => `rgb(${colour.slice(0, 3).join()})`;
      const nearest = (palette, r, g, b) => {
        let best = 0, least = Infinity;
        palette.forEach(([x, y, z], i) => { const d = (x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2; if (d < least) [best, least] = [i, d]; });
        return best;
      };
      /** An image on a canvas, and a function that dims all pixels but those of some colours of its palette. */
      const sight = (png, palette, label) => {
        const image = new Image(), shown = make("canvas", {role: "img", "aria-label": label, width: 1, height: 1});
        const sight = {shown, palette, classes: [], dim: () => {}};
        sight.ready = new Promise(resolve => {
          image.onload = () => {
            [shown.width, shown.height] = [image.naturalWidth, image.naturalHeight];
            const context = shown.getContext("2d", {willReadFrequently: true});
            context.drawImage(image, 0, 0);
            const pixels = context.getImageData(0, 0, shown.width, shown.height);
            for (let i = 0; i < pixels.data.length; i += 4) sight.classes.push(nearest(palette, pixels.data[i], pixels.data[i + 1], pixels.data[i + 2]));
            sight.dim = kept => {
              const some = new ImageData(pixels.data.slice(), shown.width, shown.height);
              sight.classes.forEach((k, i) => { if (!kept.has(k)) some.data[4 * i + 3] = 40; });
              context.putImageData(some, 0, 0);
            };
            resolve();
          };
        });
        image.src = "data:image/png;base64," + png;
        return sight;
      };
      const source = sight(data.source_image, data.source, "The source image; click a colour"), target = sight(data.target_image, data.target, "The target image");
      const show = chosen => {
        const going = data.flows.filter(([i]) => i === chosen).sort((a, b) => b[2] - a[2]), all = going.reduce((sum, flow) => sum + flow[2], 0);
        source.dim(new Set([chosen]));
        target.dim(new Set(going.filter(flow => flow[2] >= 0.05 * all).map(flow => flow[1])));
        targets.replaceChildren(...going.slice(0, 6).map(([, j, mass]) => make("span", {class: "swatch", style: `--colour:${css(data.target[j])}`}, `${Math.round(100 * mass / all)} %`)));
        said.textContent = `This colour has ${(100 * data.source[chosen][3]).toFixed(1)} % of the source. Its mass goes to:`;
        live.chosen = chosen;
      };
      data.source.forEach((colour, i) => {
        const swatch = button("", () => show(i));
        swatch.setAttribute("aria-label", `colour ${i + 1}`);
        swatch.style.background = css(colour);
        swatches.append(swatch);
      });
      source.shown.addEventListener("click", event => {
        const box = source.shown.getBoundingClientRect();
        const [x, y] = [(event.clientX - box.left) / box.width * source.shown.width, (event.clientY - box.top) / box.height * source.shown.height];
        show(source.classes[Math.floor(y) * source.shown.width + Math.floor(x)]);
      });
      live.append(swatches, make("div", {class: "row"}, source.shown, target.shown), said, targets);
      live.ready = Promise.all([source.ready, target.ready]).then(() => show(data.first));
    },
  };

  // The two pictures of a comparison are laid over each other, with a slider between them.
  for (const box of document.querySelectorAll(".compare")) {
    const input = make("input", {type: "range", value: 50, "aria-label": "divide between the two pictures",
      oninput: () => box.style.setProperty("--at", input.value + "%")});
    box.append(input);
    box.classList.add("slid");
  }
  for (const panel of document.querySelectorAll("[data-panel]")) {
    const fill = panels[panel.dataset.panel];
    if (!fill) continue;
    const live = make("div", {class: "live"});
    fill(JSON.parse(panel.querySelector("script").textContent), live);
    panel.append(live);
    panel.classList.add("on");
  }
})();
