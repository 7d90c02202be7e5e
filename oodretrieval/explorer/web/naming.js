// -- the selection and its name ---------------------------------------------------------------------------------------

function nameField(model, placeholder, send) {
  const list = h("datalist", { id: `tags-${Math.random().toString(36).slice(2)}` })
  const input = h("input", { placeholder, spellcheck: false, autocomplete: "off", "aria-label": placeholder })
  input.setAttribute("list", list.id)
  const take = () => { if (input.value.trim()) { send(input.value.trim()); input.value = "" } }
  input.addEventListener("keydown", (event) => {
    event.stopPropagation()
    if (event.key === "Enter") take()
    if (event.key === "Enter" || event.key === "Escape") input.blur() // keys are commands again
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
    if (event.key === "Enter") { send(); input.blur() } // keys are commands again
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
