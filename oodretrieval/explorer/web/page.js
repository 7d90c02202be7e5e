// -- all of it --------------------------------------------------------------------------------------------------------

export function render({ model }) {
  const held = new Set()
  const pointer = pointerSender(model)
  const commands = commandSender(
    model,
    () => (model.cover.prompt ? page.querySelector(".ask input") : null),
    (is) => page.setAttribute("aria-busy", is),
  )
  const [bar, closeMenus] = topBar(model, commands)
  const lost = h("div", { class: "lost", role: "alert" }, "No answer from the explorer; trying again. What was named is saved.")
  const page = h("div", { class: "page", tabIndex: -1 }, bar,
    h("main", {}, scatter(model, pointer, held), h("div", { class: "side" }, card(model), detail(model, pointer, held, commands))),
    statusBar(model), lost)
  page.append(cover(model, commands, () => page.focus({ preventScroll: true })))

  const known = new Set(model.catalogue.triggers ?? [])
  const pressed = (event) => {
    const typed = event.composedPath()[0]
    if (typed instanceof HTMLInputElement || typed instanceof HTMLTextAreaElement) return
    if (!page.isConnected) return
    if (typed instanceof HTMLButtonElement && ["Enter", " "].includes(event.key)) return
    held.add(event.key.toLowerCase())
    const key = keyOf(event)
    const plain = !(event.ctrlKey || event.altKey || event.metaKey)
    if (key === null || !(known.has(key) || (commands.isBusy() && plain && event.key.length === 1))) return
    event.preventDefault()
    if (closeMenus() && key === "escape") return // one step back
    if (event.repeat && !(/^(n|p|page)/.test(key) && !commands.isBusy())) return
    commands.press({
      message: known.has(key) ? { type: "key", key } : null,
      open: key === "/" ? openFilter : null,
      typed: plain ? event.key : "",
    })
  }
  const openFilter = () => {
    const filter = bar.querySelector(".filter")
    filter.focus()
    return filter
  }
  document.addEventListener("keydown", pressed)
  document.addEventListener("keyup", (event) => held.delete(event.key.toLowerCase()))
  page.addEventListener("pointerdown", (event) => { // a click outside of a field leaves it: keys are commands again
    const typed = page.getRootNode().activeElement
    if (typed instanceof HTMLInputElement && !event.composedPath().some((each) => each instanceof HTMLInputElement || each instanceof HTMLButtonElement))
      page.focus({ preventScroll: true })
  }, true)
  window.addEventListener("blur", () => held.clear())
  page.addEventListener("click", (event) => {
    if (!event.composedPath().includes(bar)) closeMenus()
    // a button that the mouse pressed keeps no keys: Enter is the next page of a review
    if (event.detail > 0 && event.composedPath()[0].closest("button")) page.focus({ preventScroll: true })
  })
  model.on("msg:custom", (message) => { if (message.pointer) pointer.taken() })
  watchConnection(model, lost)
  return page
}
