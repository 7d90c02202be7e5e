// -- bars and covers --------------------------------------------------------------------------------------------------

function topBar(model, commands) {
  const { name, count, menus = [] } = model.catalogue
  const closeAll = () => { // menus, and what is wrong with a filter; returns whether there was any
    const opened = [...bar.querySelectorAll(".open")]
    for (const open of opened) open.classList.remove("open")
    return opened.length > 0
  }
  const menu = ({ label, items }) => {
    const element = h("div", { class: "menu" })
    const open = () => { const was = element.classList.contains("open"); closeAll(); if (!was) element.classList.add("open") }
    element.append(
      h("button", { onclick: open, onpointerenter: () => { if (bar.querySelector(".menu.open")) { closeAll(); element.classList.add("open") } } }, label),
      h("div", { class: "items" }, items.map((item) => h("button", {
        title: item.text,
        onclick: () => { closeAll(); commands.run(item.trigger) },
      }, h("span", {}, item.label), h("kbd", {}, item.shown)))))
    return element
  }
  const bar = h("div", { class: "bar" },
    h("div", { class: "name", title: name }, name ?? ""), h("div", { class: "count" }, `${(count ?? 0).toLocaleString("en")} candidates`),
    menus.map(menu), filterField(model),
    h("button", { class: "help", title: "What mouse and keys do (?)", onclick: () => commands.run("?") }, "?"))
  return [bar, closeAll]
}

function statusBar(model) {
  const said = h("div", { class: "said", role: "status" })
  const what = h("span")
  const busy = h("div", { class: "busy" }, h("span", { class: "spin" }), what,
    h("button", { title: "Drop what is under way (Backspace)", onclick: () => model.send_msg({ type: "cancel" }) }, "Cancel"))
  const draw = () => {
    said.textContent = model.status.said ?? ""
    what.textContent = model.status.progress ?? ""
    busy.hidden = !model.status.progress
  }
  model.on("status", draw)
  draw()
  return h("div", { class: "status" }, said, busy, selectionBar(model))
}

function cover(model, commands, back) {
  const element = h("div", { class: "cover" })
  const leave = (message) => { back(); commands.first(message) } // what is typed next waits for what this changes
  const escape = () => leave({ type: "key", key: "escape" })
  const help = () => h("div", { class: "sheet" },
    h("h2", {}, "What mouse and keys do", h("button", { onclick: escape }, "Close")),
    h("div", { class: "columns" }, (model.catalogue.keys ?? []).map(([shown, text]) => h("div", { class: "pair" }, h("kbd", {}, shown), h("span", {}, text)))))
  const ask = ({ question, text, problem, choices = [] }) => {
    const list = h("datalist", { id: "choices" }, choices.map((choice) => h("option", { value: choice })))
    const input = h("input", { value: text, spellcheck: false, autocomplete: "off", "aria-label": question })
    input.setAttribute("list", "choices")
    const take = () => leave({ type: "answer", text: input.value })
    input.addEventListener("keydown", (event) => {
      event.stopPropagation()
      if (event.key === "Enter") take()
      if (event.key === "Escape") escape()
    })
    setTimeout(() => { input.focus(); if (input.value === text) input.select() }) // else something was typed already
    return h("div", { class: "sheet ask" }, h("div", { class: "question" }, question), input, list, h("div", { class: "problem" }, problem),
      h("div", { class: "do" }, h("button", { onclick: escape }, "Cancel"), h("button", { class: "on", onclick: take }, "OK")))
  }
  const draw = () => {
    const { help: open, prompt } = model.cover
    element.classList.toggle("open", Boolean(open || prompt))
    element.replaceChildren(prompt ? ask(prompt) : open ? help() : "")
    if (!open && !prompt) back()
  }
  element.addEventListener("click", (event) => { if (event.target === element) escape() })
  model.on("cover", draw)
  draw()
  return element
}

function watchConnection(model, lost) { // Panel connects again by itself; this says how it stands
  let answered = performance.now()
  model.on("msg:custom", (message) => {
    if (message.alive) { answered = performance.now(); lost.classList.remove("open") }
  })
  setInterval(() => {
    lost.classList.toggle("open", performance.now() - answered > SILENCE)
    try { model.send_msg({ type: "alive" }) } catch { /* said by the banner */ }
  }, SILENCE / 3)
}
