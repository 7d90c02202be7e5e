// -- the scatter: Bokeh pans and zooms, everything else is ours -------------------------------------------------------

function scatter(model, pointer, held) {
  const points = h("div", { class: "points" }, model.get_child("scatter"))
  const outline = svg("svg", { class: "lasso" })
  const legend = h("div", { class: "legend" })
  const tools = h("div", { class: "tools" })
  const mark = h("div", { class: "mark" })
  const map = h("div", { class: "map" }, points, outline, mark, legend, tools)
  let mode = "pan", drag = null

  const at = (event) => {
    const box = points.getBoundingClientRect()
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
  }
  const inside = (event) => event.composedPath().includes(points)
  const trigger = (event) => {
    const name = BUTTONS[event.button]
    return prefix(event, held) + name
  }
  const swallow = (event) => { event.stopPropagation(); event.preventDefault() }

  const draw = () => {
    outline.replaceChildren()
    if (!drag || !drag.selecting || drag.path.length < 2) return
    const box = points.getBoundingClientRect()
    const path = corners(drag).map(([x, y]) => `${x * box.width},${y * box.height}`).join(" ")
    outline.append(svg("polygon", { points: path }))
  }
  const corners = ({ path, shape }) => {
    if (shape !== "rectangle") return path
    const [[a, b], [c, d]] = [path[0], path[path.length - 1]]
    return [[a, b], [c, b], [c, d], [a, d]]
  }

  // above Bokeh's canvas, which need not be drawn again for it; while the view moves nobody knows where it is
  const drawMark = () => {
    const { place = null } = model.mark
    mark.hidden = place === null
    if (place) { mark.style.left = `${100 * place[0]}%`; mark.style.top = `${100 * place[1]}%` }
  }
  model.on("mark", drawMark)
  drawMark()

  map.addEventListener("pointerdown", (event) => {
    if (!inside(event)) return
    const selecting = event.button === 0 && (mode !== "pan" || event.shiftKey)
    drag = { selecting, shape: mode === "rectangle" ? "rectangle" : "lasso", path: [at(event)], far: 0,
             x: event.clientX, y: event.clientY, shift: event.shiftKey && mode !== "pan", take: event.altKey || event.ctrlKey || event.metaKey }
    if (selecting) { swallow(event); points.setPointerCapture(event.pointerId) }
  }, true)
  map.addEventListener("pointermove", (event) => {
    if (drag) {
      drag.far = Math.max(drag.far, Math.hypot(event.clientX - drag.x, event.clientY - drag.y))
      if (drag.selecting) { drag.path.push(at(event)); swallow(event); draw() }
      else if (drag.far > STILL) mark.hidden = true
    } else if (inside(event)) {
      const [x, y] = at(event)
      pointer.moved({ type: "pointer", x, y })
    }
  }, true)
  map.addEventListener("pointerup", (event) => {
    if (!drag) return
    const [x, y] = drag.path[0]
    if (drag.far <= STILL) model.send_msg({ type: "button", trigger: trigger(event), x, y })
    else if (drag.selecting) {
      const how = drag.take ? "remove" : drag.shift ? "add" : "replace"
      model.send_msg({ type: "select", polygon: thinned(corners(drag)), how })
    }
    if (drag.selecting) swallow(event)
    drag = null
    draw()
  }, true)
  for (const name of ["pointercancel", "lostpointercapture"])
    map.addEventListener(name, () => { if (drag && drag.selecting) { drag = null; draw() } })
  map.addEventListener("pointerleave", () => { pointer.forget(); model.send_msg({ type: "left" }) })
  map.addEventListener("contextmenu", (event) => event.preventDefault())
  map.addEventListener("auxclick", (event) => event.preventDefault())
  map.addEventListener("mousedown", (event) => { if (event.button === 1) event.preventDefault() })
  map.addEventListener("wheel", (event) => {
    if (!inside(event)) return
    if (!event.ctrlKey) { mark.hidden = true; return }
    swallow(event)
    model.send_msg({ type: "command", trigger: event.deltaY < 0 ? "ctrl+wheel up" : "ctrl+wheel down" })
  }, { capture: true, passive: false })

  new ResizeObserver(() => {
    const box = points.getBoundingClientRect()
    if (box.width > 10) model.send_msg({ type: "size", width: box.width, height: box.height })
  }).observe(points)

  const choose = (chosen) => {
    mode = chosen
    map.classList.toggle("select", mode !== "pan")
    for (const button of tools.querySelectorAll("[data-mode]")) button.classList.toggle("on", button.dataset.mode === mode)
  }
  for (const [name, label, title] of [
    ["pan", "Move", "Drag moves the view, the wheel zooms; Shift + drag draws a lasso"],
    ["lasso", "Lasso", "Drag around candidates to select them; Shift adds, Ctrl takes away"],
    ["rectangle", "Rectangle", "Drag a rectangle over candidates to select them; Shift adds, Ctrl takes away"],
  ]) {
    const button = h("button", { title, onclick: () => { choose(name); model.send_msg({ type: "tool", tool: name === "pan" ? "" : name }) } }, label)
    button.dataset.mode = name
    tools.append(button)
  }
  tools.append(h("button", { title: "Show all points again", onclick: () => model.send_msg({ type: "fit" }) }, "Fit"))
  const follow = () => choose(model.choice.tool || "pan")
  model.on("choice", follow)
  follow()

  const drawLegend = () => {
    const { title, entries = [], shown = true, bar = null } = model.legend
    legend.style.display = shown ? "" : "none"
    legend.replaceChildren(h("div", { class: "title" }, title ?? ""), ...(bar ? [colourBar(bar)] : []), ...entries.map((entry) =>
      h("button", {
        class: entry.hidden ? "off" : "", disabled: entry.faint,
        title: entry.faint ? "Below the threshold, filtered away, or hidden" : entry.hidden ? "Click to show" : "Click to hide",
        onclick: () => model.send_msg({ type: "legend", name: entry.name }),
      },
      h("span", { class: entry.unknown ? "dot unknown" : "dot", style: `background:${entry.colour}` }),
      h("span", { class: "label" }, entry.name),
      h("span", { class: "number" }, entry.count))))
  }
  const wait = h("div", { class: "wait" }, "The points are being placed …")
  map.append(wait)
  let sized = false
  const ready = () => {
    wait.hidden = Boolean(model.legend.ready)
    if (sized && model.legend.ready) map.dataset.ready = "yes"
  }
  model.on("msg:custom", (message) => { if (message.sized) { sized = true; ready() } })
  model.on("legend", ready)
  ready()
  model.on("legend", drawLegend)
  drawLegend()
  return map
}

function colourBar({ colours, ticks, count }) { // the high end is up
  return h("div", { class: "scale" },
    h("div", { class: "shades", style: `background:linear-gradient(to top, ${colours.join(",")})` }),
    h("div", { class: "ticks" }, ticks.map(([place, text]) => h("span", { style: `bottom:${100 * place}%` }, text))),
    h("div", { class: "number" }, count))
}

function thinned(path) { // a lasso needs no more corners than this
  const step = Math.max(1, Math.ceil(path.length / 400))
  return path.filter((_, index) => index % step === 0)
}
