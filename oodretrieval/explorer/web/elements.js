// Elements, keys and the pointer: what the other parts of the page's script are made of. page.py joins the parts.
// Texts are only ever set as text, never as markup: names of classes and tags may hold anything.

const SVG = "http://www.w3.org/2000/svg"
const KEYS = {
  ArrowLeft: "arrow left", ArrowRight: "arrow right", ArrowUp: "up", ArrowDown: "down", PageDown: "pagedown", PageUp: "pageup",
  Escape: "escape", Enter: "enter", Backspace: "backspace", Delete: "delete", Home: "home", End: "end", Insert: "insert",
}
const BUTTONS = ["left", "middle", "right"]
const STILL = 4 // a drag is longer than this, pixels
const SILENCE = 9000 // the connection counts as lost after so long without an answer, milliseconds
const ANSWER = 400 // a pointer is sent again if the last one was not taken within, milliseconds
const COMMAND_ANSWER = 5000 // the next command is sent if the last one was not taken within, milliseconds

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

// -- commands: one at a time, as one may open a field, and what is typed meanwhile belongs into it ----------------------

function commandSender(model, question, busy) { // question: the field of an open question, if any; busy: is told how it stands
  let number = 0, sent = -COMMAND_ANSWER
  const waiting = []
  const isBusy = () => performance.now() - sent < COMMAND_ANSWER
  const type = (field, text) => {
    while (waiting.length) {
      const { typed } = waiting.shift()
      if (typed.length === 1) field.value = text += typed
      else return field.dispatchEvent(new KeyboardEvent("keydown", { key: typed })) // Enter: what follows is a command again
    }
  }
  const send = () => {
    while (waiting.length && !isBusy()) {
      const { message, open } = waiting.shift()
      if (open) { const field = open(); type(field, field.value) }
      else if (message) {
        sent = performance.now()
        model.send_msg({ ...message, number: ++number })
        setTimeout(send, COMMAND_ANSWER + 10)
      }
    }
    busy(isBusy())
  }
  model.on("msg:custom", (message) => {
    if (message.taken !== number) return
    sent = -COMMAND_ANSWER
    const field = question()
    if (field) type(field, "") // in place of what is proposed there, as that is selected
    send()
  })
  return {
    isBusy,
    run(trigger) { waiting.push({ message: { type: "command", trigger }, typed: "" }); send() },
    press(step) { waiting.push(step); send() }, // message or open: what the key asks for, if anything; typed: the key itself
    first(message) { waiting.unshift({ message, typed: "" }); send() }, // before what was typed since
  }
}
