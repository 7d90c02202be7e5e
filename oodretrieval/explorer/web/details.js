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
  const usual = "Point at a line to see what it means."
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
    }, h("i", { style: `background:${colour}` }), h("span", { class: "label" }, tag), " ×")))
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

function elbow(model, { values, first, best, mark, unit }) { // over numbers of clusters, from the first on
  const [width, height, left, bottom] = [520, 316, 14, 42]
  const step = (width - 2 * left) / Math.max(values.length, 1)
  const highest = Math.max(...values) || 1
  const x = (index) => left + step * (index + 0.5)
  const y = (value) => 40 + (height - bottom - 52) * (1 - Math.max(value ?? 0, 0) / highest)
  const drawing = svg("svg", { class: "elbow", viewBox: `0 0 ${width} ${height}` })
  const write = (text, at, kind) => {
    const label = svg("text", { ...at, class: kind })
    label.textContent = text
    drawing.append(label)
  }
  write(unit, { x: left, y: 12 }, "start")
  write("number of clusters", { x: width / 2, y: height - 4 }, "")
  drawing.append(svg("line", { class: "axis", x1: left, x2: width - left, y1: y(0), y2: y(0) }))
  if (best) {
    const at = x(best - first)
    drawing.append(svg("line", { class: "best", x1: at, x2: at, y1: 30, y2: y(0) }))
    write(`${mark} ${best}`, { x: at, y: 26 }, best - first > values.length / 2 ? "end" : "start")
  }
  drawing.append(svg("polyline", { class: "line", points: values.map((value, index) => `${x(index)},${y(value)}`).join(" ") }))
  values.forEach((value, index) => {
    const label = svg("text", { x: x(index), y: height - 22 })
    label.textContent = index + first
    const group = svg("g", {},
      svg("rect", { class: "zone", x: x(index) - step / 2, y: 0, width: step, height }),
      svg("circle", { cx: x(index), cy: y(value), r: 4.5 }), label)
    const exact = svg("title")
    exact.textContent = value === null ? "no such number" : value.toPrecision(3)
    group.append(exact)
    group.addEventListener("click", () => model.send_msg({ type: "clusters", number: index + first }))
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

function review(model, pointer, held, commands, content) {
  const answer = ([key, label]) => h("button", { title: `The marked candidate is: ${label}`, onclick: () => commands.run(key) },
    h("span", {}, label), " ", h("kbd", {}, key))
  const other = (trigger, label, shown, title) => h("button", { title, onclick: () => commands.run(trigger) }, label, " ", h("kbd", {}, shown))
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

function detail(model, pointer, held, commands) {
  const heading = h("div", { class: "heading" })
  const go = (by) => () => model.send_msg({ type: "history", by })
  const back = h("button", { title: "What was shown before", onclick: go(-1) }, "◀")
  const forward = h("button", { title: "What was shown after this", onclick: go(1) }, "▶")
  const body = h("div", { class: "body" })
  let shownKind = ""
  const drawers = {
    keys: ({ lines }) => h("div", { class: "keys" }, lines.flatMap(([shown, text]) => [h("div", {}, h("kbd", {}, shown)), h("div", {}, text)])),
    message: ({ text, problem }) => h("div", { class: problem ? "message problem" : "message" }, text),
    image: ({ picture, size, box }) => framed(picture, size, box),
    panels, elbow: (content) => elbow(model, content), grid: (content) => grid(model, pointer, held, content), review: (content) => review(model, pointer, held, commands, content),
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
    showMarked()
    tick()
  }
  const showMarked = () => { // the candidate that the next answer of a review is for; of a new page with the answers above it
    const marked = body.querySelector(".item.now")
    if (!marked) return
    if (marked === marked.parentElement.firstElementChild) { body.scrollTop = 0; return }
    const [item, room] = [marked.getBoundingClientRect(), body.getBoundingClientRect()]
    const margin = 6 // of its frame
    if (item.bottom + margin > room.bottom) body.scrollTop += item.bottom + margin - room.bottom
    if (item.top - margin < room.top) body.scrollTop -= room.top - item.top + margin
  }
  const tick = () => { // what is selected among the candidates that are shown
    const rows = new Set((model.choice.rows ?? []).map(String))
    for (const item of body.querySelectorAll(".item")) item.classList.toggle("ticked", rows.has(item.dataset.row))
  }
  model.on("detail", draw)
  model.on("choice", tick)
  draw()
  body.addEventListener("pointerleave", () => { pointer.forget(); model.send_msg({ type: "left" }) })
  return h("div", { class: "detail" }, h("div", { class: "head" }, back, forward, heading), body)
}
