// One message of the conversation each: a question with its pictures, and an answer. Their nodes are made once.
//
//     const message = makeQuestion()      // { node, update(...), relabel() }
import { button, make, set } from '../lib/dom.js'
import { choose, focusComposer, inspect, page, turnTo, undo } from '../lib/page.js'
import { words } from '../lib/words.js'
import { act, compare, makeEditor } from './actions.js'
import { makeAnswerText } from './answer-text.js'
import { copyButton } from './copying.js'
import { receiptText, stateText } from './receipts.js'

export function makeQuestion() {
  let question = null
  const text = make('div', { class: 'asked', dir: 'auto' })
  const pictures = make('div', { class: 'pictures', hidden: true })
  const edit = act('edit', 'turns_edit', () => editor.open(question))
  const back = act('undo', 'turns_undo', () => undo().then(focusComposer))
  const acts = make('div', { class: 'turn-acts', role: 'group' }, edit.node, back.node)
  const node = make('div', { class: 'message user', 'data-testid': 'user', role: 'group' }, pictures, text)
  const editor = makeEditor(node, edit.node)

  function update(fresh, { turn, last, busy }) {
    if (question?.images !== fresh.images) pictures.replaceChildren(...fresh.images.map(picture))
    pictures.hidden = !fresh.images.length
    if (text.textContent !== fresh.text) text.textContent = fresh.text
    text.className = `asked turn-${turn}`
    question = fresh
    place(acts, node, !busy)
    place(back.node, acts, last)
    editor.show(fresh, !busy)
  }

  function picture(image) {
    const caption = `Image-${image.number}`
    const drawn = make('img', { alt: '', draggable: 'false', width: image.size_wh[0], height: image.size_wh[1] })
    drawn.src = image.url
    return button({ class: 'picture', 'aria-label': words('conversation_picture', { image: caption, name: image.name }), title: image.name },
      () => turnTo(image.number), drawn, make('b', {}, caption))
  }

  function relabel() {
    node.setAttribute('aria-label', words('names_question'))
    edit.relabel()
    back.relabel()
    editor.relabel()
  }

  relabel()
  return { node, update, relabel }
}

export function makeAnswer() {
  let shown = null // { answer, question, versions }
  const since = Date.now()
  const text = makeAnswerText()
  const line = make('span', { class: 'line-text' })
  const look = button({ class: 'inspect' }, () => inspect(shown.answer.id))
  const receipt = make('span', { class: 'receipt' }, line, look)
  const copy = copyButton('turns_copy', { class: 'turn-act', 'data-act': 'copy' }, () => shown.answer.text)
  const failure = make('p', { class: 'failure', hidden: true })
  const acts = make('div', { class: 'turn-acts', role: 'group' }, copy.node)
  const foot = make('div', { class: 'foot', 'aria-live': 'off' }, receipt)
  const node = make('div', { class: 'message bot', 'data-testid': 'bot', role: 'group' }, text.node, failure, foot)
  const chooser = makeVersions()

  // busy: an answer comes; versions: those that one can choose among.
  function update(answer, { turn, question, versions, busy, several }) {
    shown = { answer, question, versions }
    node.dataset.answer = answer.id
    node.dataset.turn = turn
    receipt.className = `receipt turn-${turn}`
    grow(answer)
    place(acts, foot, !busy && Boolean(answer.text))
    chooser.show(acts, versions, answer)
    choosing(page.shown, several)
  }

  // What changes while it comes.
  function grow(answer) {
    shown.answer = answer
    node.classList.toggle('running', answer.state === 'running')
    set(node, { tabindex: answer.boxes.length ? '0' : null })
    text.update(answer)
    tell()
    tick()
  }

  // Why there is nothing to see.
  function tell() {
    const said = nothingText(shown.answer)
    failure.hidden = !said
    if (failure.textContent !== said) failure.textContent = said
  }

  // Whether its boxes are those that the viewer shows.
  function choosing(id, several) {
    const chosen = id === shown.answer.id
    set(node, { 'data-chosen': String(chosen), 'aria-current': chosen && several ? 'true' : null })
  }

  function tick() {
    const { answer, question } = shown
    const running = answer.state === 'running'
    const seconds = Math.floor((Date.now() - since) / 1000)
    const said = running ? stateText(answer, question.images, seconds) : receiptText(answer, question.images, page.model)
    if (line.textContent !== said) line.textContent = said
    look.hidden = running
  }

  function relabel() {
    node.setAttribute('aria-label', words('names_answer'))
    look.textContent = words('inspector_open')
    text.relabel()
    copy.relabel()
    chooser.relabel()
    if (!shown) return
    tell()
    tick()
  }

  relabel()
  return { node, update, grow, choosing, tick, relabel, answer: () => shown.answer, phraseAt: text.phraseAt, light: text.light, reveal: text.reveal }
}

// What stands in place of an answer without text; nothing if it has some, or may still get it.
function nothingText({ state, text, boxes, failure }) {
  if (failure) return text ? '' : `${failure.what} ${failure.next_step}`
  if (state !== 'complete' || boxes.length || /[^\s\p{C}]/u.test(text)) return ''
  return `${words('answer_empty_what')} ${words('answer_empty_next')}`
}

// Through the versions of an answer, and all of them side by side.
function makeVersions() {
  let all = []
  let at = 0
  const step = (by) => { if (all[at + by]) choose(all[at + by].id) }
  const earlier = act('earlier', 'turns_earlier', () => step(-1))
  const later = act('later', 'turns_later', () => step(1))
  const beside = act('beside', 'turns_beside', () => compare(all, at, beside.node))
  const count = make('span', { class: 'turn-count' })
  const nodes = [earlier.node, count, later.node, beside.node]

  function show(acts, versions, answer) {
    all = versions
    at = versions.findIndex(({ id }) => id === answer.id)
    if (at < 0) return nodes.forEach((node) => node.remove())
    if (count.parentNode !== acts) acts.append(...nodes)
    count.textContent = `${at + 1}/${all.length}`
    earlier.node.disabled = at === 0
    later.node.disabled = at === all.length - 1
  }

  return { show, relabel: () => [earlier, later, beside].forEach((one) => one.relabel()) }
}

function place(node, parent, wanted) {
  if (wanted === (node.parentNode === parent)) return
  if (wanted) parent.append(node)
  else node.remove()
}
