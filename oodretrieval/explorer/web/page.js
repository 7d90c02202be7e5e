// Draws what Python says (page.py), and sends back what pointer, buttons and keys do. Texts are only ever set as
// text, never as markup: names of classes and tags may hold anything.

const SVG = "http://www.w3.org/2000/svg"
const KEYS = {
  ArrowLeft: "arrow left", ArrowRight: "arrow right", ArrowUp: "up", ArrowDown: "down", PageDown: "pagedown", PageUp: "pageup",
  Escape: "escape", Enter: "enter", Backspace: "backspace", Delete: "delete", Home: "home", End: "end", Insert: "insert",
}
const BUTTONS = ["left", "middle", "right"]
const STILL = 4 // a drag is longer than this, pixels
const ANSWER = 400 // a pointer is sent again if the last one was not taken within, milliseconds

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "class") element.className = value
    else if (name in element && name !== "list") element[name] = value
    else element.setAttribute(name, value)
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined))
  return element
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

function keyOf(event) {
  const held = (event.ctrlKey || event.metaKey ? "ctrl+" : "") + (event.altKey ? "alt+" : "")
  const named = KEYS[event.key]
  if (named) return held + (event.shiftKey ? "shift+" : "") + named
  if (/^F\d+$/.test(event.key)) return held + event.key.toLowerCase()
  if (event.key.length !== 1) return null
  const shift = held && event.shiftKey ? "shift+" : ""
  return held + shift + event.key.toLowerCase()
}

function prefix(event, held) { // of a button, as the table of commands spells it
  return event.ctrlKey || event.metaKey ? "ctrl+" : held.has("t") ? "t+" : event.shiftKey ? "shift+" : ""
}

// -- the pointer: only the newest place is sent, and only when the one before was taken ------------------------------

function pointerSender(model) {
  let waiting = null, sent = 0
  const send = () => {
    if (waiting === null || performance.now() - sent < ANSWER) return
    sent = performance.now()
    model.send_msg(waiting)
    waiting = null
    setTimeout(send, ANSWER + 10)
  }
  return {
    moved(message) { waiting = message; send() },
    taken() { sent = 0; send() },
    forget() { waiting = null },
  }
}

// -- the scatter: Bokeh pans and zooms, everything else is ours -------------------------------------------------------

function scatter(model, pointer, held) {
  const points = h("div", { class: "points" }, model.get_child("scatter"))
  const outline = svg("svg", { class: "lasso" })
  const legend = h("div", { class: "legend" })
  const tools = h("div", { class: "tools" })
  const map = h("div", { class: "map" }, points, outline, legend, tools, selectionBar(model))
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
    if (!event.ctrlKey || !inside(event)) return
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
    const { title, entries = [], shown = true } = model.legend
    legend.style.display = shown ? "" : "none"
    legend.replaceChildren(h("div", { class: "title" }, title ?? ""), ...entries.map((entry) =>
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

function thinned(path) { // a lasso needs no more corners than this
  const step = Math.max(1, Math.ceil(path.length / 400))
  return path.filter((_, index) => index % step === 0)
}

// -- the selection and its name ---------------------------------------------------------------------------------------

function nameField(model, placeholder, send) {
  const list = h("datalist", { id: `tags-${Math.random().toString(36).slice(2)}` })
  const input = h("input", { placeholder, spellcheck: false, autocomplete: "off", "aria-label": placeholder })
  input.setAttribute("list", list.id)
  const take = () => { if (input.value.trim()) { send(input.value.trim()); input.value = "" } }
  input.addEventListener("keydown", (event) => {
    event.stopPropagation()
    if (event.key === "Enter") take()
    if (event.key === "Escape") input.blur()
  })
  const draw = () => list.replaceChildren(...(model.choice.tags ?? []).map(([name]) => h("option", { value: name })))
  model.on("choice", draw)
  draw()
  return [h("span", { class: "name-field" }, input, list), take]
}

function selectionBar(model) {
  const count = h("b")
  const [field, take] = nameField(model, "name them …", (name) => model.send_msg({ type: "tag", name }))
  const change = (action) => () => model.send_msg({ type: "selection", do: action })
  const element = h("div", { class: "selection" }, count, field,
    h("button", { class: "on", title: "Give the selected candidates this name (Enter)", onclick: take }, "Name"),
    h("button", { title: "Select what is shown and not selected, instead", onclick: change("invert") }, "Invert"),
    h("button", { title: "Select nothing", onclick: change("clear") }, "Clear"))
  const draw = () => {
    const { selected = 0 } = model.choice
    element.classList.toggle("open", selected > 0)
    count.textContent = `${selected.toLocaleString("en")} selected`
  }
  model.on("choice", draw)
  draw()
  return element
}

function filterField(model) {
  const list = h("datalist", { id: "columns" }, (model.catalogue.columns ?? []).map((name) => h("option", { value: name })))
  const input = h("input", { class: "filter", placeholder: 'Show only …  e.g. predicted == "car" and S > 500', spellcheck: false,
    autocomplete: "off", "aria-label": "Filter", title: `Columns: ${(model.catalogue.columns ?? []).join(", ")}` })
  const problem = h("div", { class: "problem", role: "alert" })
  const shown = h("span", { class: "shown" })
  const send = () => model.send_msg({ type: "filter", text: input.value })
  input.addEventListener("keydown", (event) => {
    event.stopPropagation()
    if (event.key === "Enter") send()
    if (event.key === "Escape") { input.value = ""; send(); input.blur() }
  })
  input.addEventListener("search", send)
  const draw = () => {
    const { filter = "", shown: number, count } = model.choice
    if (input.getRootNode().activeElement !== input) input.value = filter
    shown.textContent = number === count || number === undefined ? "" : `${number.toLocaleString("en")} shown`
    input.classList.toggle("active", Boolean(filter))
  }
  model.on("choice", draw)
  model.on("msg:custom", (message) => {
    if (message.filter === undefined) return
    problem.textContent = message.filter
    problem.classList.toggle("open", Boolean(message.filter))
  })
  input.addEventListener("input", () => problem.classList.remove("open"))
  draw()
  return h("div", { class: "filtering" }, input, list, shown, problem)
}

// -- the card of the candidate under the pointer ----------------------------------------------------------------------

function card(model) {
  const crop = h("div", { class: "crop" })
  const list = h("dl")
  const meaning = h("div", { class: "meaning" })
  const buttons = h("div", { class: "buttons" })
  const chips = h("span", { class: "chips" })
  const [field] = nameField(model, "name it …", (name) => {
    if (model.card.row !== undefined) model.send_msg({ type: "tag", row: model.card.row, name })
  })
  const naming = h("div", { class: "naming" }, chips, field)
  const element = h("div", { class: "card" }, crop, h("div", { class: "about" }, list, naming, meaning, buttons))
  const usual = "Hover a number to see what it means; the buttons do what the mouse does."
  const draw = () => {
    const { row, name, picture, facts = [], tags = [] } = model.card
    naming.style.visibility = row === undefined ? "hidden" : ""
    if (row === undefined) {
      crop.replaceChildren("Move the pointer over a point")
      return
    }
    crop.replaceChildren(picture ? h("img", { src: picture, alt: name }) : "reading …")
    meaning.textContent = usual
    list.replaceChildren(...facts.flatMap(([fact, value, says], index) => {
      const tell = { title: says, onmouseenter: () => { meaning.textContent = says }, onmouseleave: () => { meaning.textContent = usual } }
      return [h("dt", tell, fact), h("dd", { ...tell, class: index === 0 ? "first" : "" }, value)]
    }))
    chips.replaceChildren(...tags.map(([tag, colour]) => h("button", {
      class: "chip", style: `border-color:${colour}`, title: `Click takes the name ${tag} off`,
      onclick: () => model.send_msg({ type: "untag", row, name: tag }),
    }, h("i", { style: `background:${colour}` }), tag, " ×")))
    buttons.replaceChildren(...(model.catalogue.buttons ?? []).map((button) =>
      h("button", { title: `${button.text} (${button.shown})`,
        onclick: () => model.send_msg({ type: "button", trigger: button.trigger, row: model.card.row }) }, button.label)))
  }
  model.on("card", draw)
  draw()
  return element
}

// -- what is shown next to the scatter --------------------------------------------------------------------------------

function framed(picture, size, box) {
  const layer = svg("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, preserveAspectRatio: "none" })
  if (box) {
    const [left, top, right, bottom] = box
    layer.append(svg("rect", { x: left, y: top, width: right - left, height: bottom - top }))
  }
  return h("div", { class: "picture" }, h("img", { src: picture, alt: "" }), layer)
}

function panels({ panels, size, box }) {
  return h("div", { class: "panels" }, panels.map((panel) => h("div", {},
    h("div", { class: "title" }, panel.title),
    framed(panel.picture, size, box),
    h("div", { class: "key" }, panel.bar
      ? [h("span", {}, panel.bar.low), h("span", { class: "bar-of", style: `background:linear-gradient(to right, ${panel.bar.colours.join(",")})` }), h("span", {}, panel.bar.high)]
      : panel.classes.map(([name, colour]) => h("span", {}, h("i", { style: `background:${colour}` }), name))))))
}

function elbow(model, { spread }) {
  const [width, height, left, bottom] = [520, 300, 14, 26]
  const step = (width - 2 * left) / Math.max(spread.length, 1)
  const highest = Math.max(...spread) || 1
  const x = (index) => left + step * (index + 0.5)
  const y = (value) => 12 + (height - bottom - 24) * (1 - value / highest)
  const drawing = svg("svg", { class: "elbow", viewBox: `0 0 ${width} ${height}` })
  drawing.append(svg("polyline", { class: "line", points: spread.map((value, index) => `${x(index)},${y(value)}`).join(" ") }))
  spread.forEach((value, index) => {
    const label = svg("text", { x: x(index), y: height - 8 })
    label.textContent = index + 1
    const group = svg("g", {},
      svg("rect", { class: "zone", x: x(index) - step / 2, y: 0, width: step, height }),
      svg("circle", { cx: x(index), cy: y(value), r: 4.5 }), label)
    group.addEventListener("click", () => model.send_msg({ type: "clusters", number: index + 1 }))
    drawing.append(group)
  })
  return drawing
}

function grid(model, pointer, held, { items, kind }) {
  return h("div", { class: `grid ${kind}` }, items.map((item, place) => {
    const press = (event) => {
      event.preventDefault()
      if (kind === "review" && event.button === 0 && !prefix(event, held)) {
        model.send_msg({ type: "review", place })
        return
      }
      model.send_msg({ type: "button", trigger: prefix(event, held) + BUTTONS[event.button], row: item.row })
    }
    return h("div", {
      class: `item ${item.tone}`, "data-row": item.row, style: item.colour ? `--answer:${item.colour}` : "",
      onpointerenter: () => pointer.moved({ type: "pointer", row: item.row }),
      onclick: press, onauxclick: press, oncontextmenu: (event) => event.preventDefault(),
      onmousedown: (event) => { if (event.button === 1) event.preventDefault() },
    }, h("img", { src: item.picture, alt: item.caption, draggable: false }), h("div", { class: "caption" }, item.caption))
  }))
}

function review(model, pointer, held, content) {
  const answer = ([key, label]) => h("button", { title: `The marked candidate is: ${label}`, onclick: () => model.send_msg({ type: "command", trigger: key }) },
    h("span", {}, label), " ", h("kbd", {}, key))
  const other = (trigger, label, shown, title) => h("button", { title, onclick: () => model.send_msg({ type: "command", trigger }) }, label, " ", h("kbd", {}, shown))
  return h("div", {}, h("div", { class: "answers" }, content.answers.map(answer),
    other("w", "new name …", "w", "Name the marked candidate"), other("enter", "Next twelve", "Enter", "Rank the rest again by the answers")),
  grid(model, pointer, held, content), curve(content.curve))
}

function curve(found) { // candidates of interest over looks
  if (found.length < 2) return null
  const [width, height] = [520, 120]
  const x = (look) => 30 + (width - 40) * (look / found.length)
  const y = (count) => height - 20 - (height - 30) * (count / Math.max(found[found.length - 1], 1))
  const line = [`${x(0)},${y(0)}`, ...found.map((count, look) => `${x(look + 1)},${y(count)}`)].join(" ")
  const drawing = svg("svg", { class: "elbow curve", viewBox: `0 0 ${width} ${height}` },
    svg("polyline", { class: "ideal", points: `${x(0)},${y(0)} ${x(found[found.length - 1])},${y(found[found.length - 1])}` }),
    svg("polyline", { class: "line", points: line }))
  for (const [text, left, top] of [["looks", width - 24, height - 6], [String(found.length), x(found.length) - 4, height - 6], [String(found[found.length - 1]), 14, y(found[found.length - 1]) + 10], ["0", 14, height - 20]]) {
    const label = svg("text", { x: left, y: top })
    label.textContent = text
    if (text !== String(found.length) || left !== x(found.length) - 4) drawing.append(label)
  }
  return h("div", { class: "found" }, h("div", { class: "title" }, "Of interest, over candidates answered (dashed: if every one had been)"), drawing)
}

function detail(model, pointer, held) {
  const heading = h("div", { class: "heading" })
  const go = (by) => () => model.send_msg({ type: "history", by })
  const back = h("button", { title: "What was shown before", onclick: go(-1) }, "◀")
  const forward = h("button", { title: "What was shown after this", onclick: go(1) }, "▶")
  const body = h("div", { class: "body" })
  let shownKind = ""
  const drawers = {
    keys: ({ lines }) => h("div", { class: "keys" }, lines.flatMap(([shown, text]) => [h("div", {}, h("kbd", {}, shown)), h("div", {}, text)])),
    message: ({ text }) => h("div", { class: "message" }, text),
    image: ({ picture, size, box }) => framed(picture, size, box),
    panels, elbow: (content) => elbow(model, content), grid: (content) => grid(model, pointer, held, content), review: (content) => review(model, pointer, held, content),
  }
  const draw = () => {
    const content = model.detail
    heading.textContent = content.heading ?? ""
    back.disabled = !content.back
    forward.disabled = !content.forward
    const scrolled = content.kind === shownKind ? body.scrollTop : 0
    shownKind = content.kind
    body.replaceChildren(drawers[content.kind] ? drawers[content.kind](content) : "")
    body.scrollTop = content.kind === "review" ? scrolled : 0
  }
  model.on("detail", draw)
  draw()
  body.addEventListener("pointerleave", () => { pointer.forget(); model.send_msg({ type: "left" }) })
  return h("div", { class: "detail" }, h("div", { class: "head" }, back, forward, heading), body)
}

// -- bars and covers --------------------------------------------------------------------------------------------------

function topBar(model) {
  const { name, count, menus = [] } = model.catalogue
  const closeAll = () => { for (const open of bar.querySelectorAll(".open")) open.classList.remove("open") }
  const menu = ({ label, items }) => {
    const element = h("div", { class: "menu" })
    const open = () => { const was = element.classList.contains("open"); closeAll(); if (!was) element.classList.add("open") }
    element.append(
      h("button", { onclick: open, onpointerenter: () => { if (bar.querySelector(".menu.open")) { closeAll(); element.classList.add("open") } } }, label),
      h("div", { class: "items" }, items.map((item) => h("button", {
        title: item.text,
        onclick: () => { closeAll(); model.send_msg({ type: "command", trigger: item.trigger }) },
      }, h("span", {}, item.label), h("kbd", {}, item.shown)))))
    return element
  }
  const bar = h("div", { class: "bar" },
    h("div", { class: "name", title: name }, name ?? ""), h("div", { class: "count" }, `${(count ?? 0).toLocaleString("en")} candidates`),
    menus.map(menu), filterField(model),
    h("button", { class: "help", title: "What mouse and keys do (?)", onclick: () => model.send_msg({ type: "key", key: "?" }) }, "?"))
  return [bar, closeAll]
}

function statusBar(model) {
  const said = h("div", { class: "said", role: "status" })
  const what = h("span")
  const busy = h("div", { class: "busy" }, h("span", { class: "spin" }), what,
    h("button", { title: "Drop what is under way", onclick: () => model.send_msg({ type: "cancel" }) }, "Cancel"))
  const draw = () => {
    said.textContent = model.status.said ?? ""
    said.title = said.textContent
    what.textContent = model.status.progress ?? ""
    busy.hidden = !model.status.progress
  }
  model.on("status", draw)
  draw()
  return h("div", { class: "status" }, said, busy)
}

function cover(model, back) {
  const element = h("div", { class: "cover" })
  const key = (name) => model.send_msg({ type: "key", key: name })
  const help = () => h("div", { class: "sheet" },
    h("h2", {}, "What mouse and keys do", h("button", { onclick: () => key("escape") }, "Close")),
    h("div", { class: "columns" }, (model.catalogue.keys ?? []).map(([shown, text]) => h("div", { class: "pair" }, h("kbd", {}, shown), h("span", {}, text)))))
  const ask = ({ question, text, problem, choices = [] }) => {
    const list = h("datalist", { id: "choices" }, choices.map((choice) => h("option", { value: choice })))
    const input = h("input", { value: text, spellcheck: false, autocomplete: "off", "aria-label": question })
    input.setAttribute("list", "choices")
    const take = () => model.send_msg({ type: "answer", text: input.value })
    input.addEventListener("keydown", (event) => {
      event.stopPropagation()
      if (event.key === "Enter") take()
      if (event.key === "Escape") key("escape")
    })
    setTimeout(() => { input.focus(); input.select() })
    return h("div", { class: "sheet ask" }, h("div", { class: "question" }, question), input, list, h("div", { class: "problem" }, problem),
      h("div", { class: "do" }, h("button", { onclick: () => key("escape") }, "Cancel"), h("button", { class: "on", onclick: take }, "OK")))
  }
  const draw = () => {
    const { help: open, prompt } = model.cover
    element.classList.toggle("open", Boolean(open || prompt))
    element.replaceChildren(prompt ? ask(prompt) : open ? help() : "")
    if (!open && !prompt) back()
  }
  element.addEventListener("click", (event) => { if (event.target === element) key("escape") })
  model.on("cover", draw)
  draw()
  return element
}

// -- all of it --------------------------------------------------------------------------------------------------------

export function render({ model }) {
  const held = new Set()
  const pointer = pointerSender(model)
  const [bar, closeMenus] = topBar(model)
  const lost = h("div", { class: "lost", role: "alert" }, "The connection was lost; trying again …")
  const page = h("div", { class: "page", tabIndex: -1 }, bar,
    h("main", {}, scatter(model, pointer, held), h("div", { class: "side" }, card(model), detail(model, pointer, held))),
    statusBar(model), lost)
  page.append(cover(model, () => page.focus({ preventScroll: true })))

  const known = new Set(model.catalogue.triggers ?? [])
  const pressed = (event) => {
    const typed = event.composedPath()[0]
    if (typed instanceof HTMLInputElement || typed instanceof HTMLTextAreaElement) return
    if (!page.isConnected) return
    held.add(event.key.toLowerCase())
    const key = keyOf(event)
    if (key === null || !known.has(key)) return
    event.preventDefault()
    closeMenus()
    if (key === "/") {
      bar.querySelector(".filter").focus()
      return
    }
    if (!event.repeat || /^(n|p|page)/.test(key)) model.send_msg({ type: "key", key })
  }
  document.addEventListener("keydown", pressed)
  document.addEventListener("keyup", (event) => held.delete(event.key.toLowerCase()))
  window.addEventListener("blur", () => held.clear())
  page.addEventListener("click", (event) => { if (!event.composedPath().includes(bar)) closeMenus() })
  model.on("msg:custom", (message) => { if (message.pointer) pointer.taken() })
  return page
}
