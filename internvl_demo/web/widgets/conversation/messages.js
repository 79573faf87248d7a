// One message of the conversation each: a question with its pictures, and an answer. Their nodes are made once.
//
//     const message = makeQuestion()      // { node, update(...), relabel() }
import { button, icon, make, set } from '../lib/dom.js'
import { choose, chooseQuestion, focusComposer, inspect, page, retry, turnTo, undo } from '../lib/page.js'
import { makePopup } from '../lib/popup.js'
import { splitRegions } from '../lib/regions.js'
import { sentences, words } from '../lib/words.js'
import { act, compare, makeEditor } from './actions.js'
import { makeAnswerText } from './answer-text.js'
import { copyButton } from './copying.js'
import { marksText, receiptText, secondsText, stateText } from './receipts.js'
import { makeSeen } from './seen.js'
import { makeThinking } from './thinking.js'

export function makeQuestion() {
  let question = null
  const text = make('div', { class: 'asked', dir: 'auto' })
  const pictures = make('div', { class: 'pictures', hidden: true })
  const places = make('div', { class: 'places', hidden: true })
  const edit = act('edit', 'turns_edit', () => editor.open(question))
  const back = act('undo', 'turns_undo', () => undo().then(focusComposer))
  const steps = makeSteps(['turns_question_earlier', 'turns_question_later'], stepTo)
  const acts = make('div', { class: 'turn-acts' })
  const node = make('div', { class: 'message user', 'data-testid': 'user', role: 'group' }, make('div', { class: 'bubble' }, pictures, text, places))
  node.append(acts)
  const editor = makeEditor(node, edit.node)

  function update(fresh, { turn, last, busy }) {
    if (question?.images !== fresh.images) pictures.replaceChildren(...fresh.images.map(picture))
    pictures.hidden = !fresh.images.length
    const { text: said, regions } = splitRegions(fresh.text)
    if (text.textContent !== said) text.textContent = said
    places.hidden = !regions.length
    places.replaceChildren(...regions.map(placeText))
    text.className = `asked turn-${turn}`
    question = fresh
    node.dataset.question = fresh.id
    const several = fresh.siblings.length > 1
    if (several) steps.show(fresh.siblings, fresh.id, busy)
    const todo = busy ? [] : last ? [edit.node, back.node] : [edit.node]
    fill(acts, several ? [...steps.nodes, ...todo] : todo)
    editor.show(fresh, !busy)
  }

  function placeText({ image, box_1000 }) {
    return make('span', { class: 'place' }, icon('region'), words('viewer_region', { image: `Image-${image}`, box: box_1000.join(', ') }))
  }

  function picture(image) {
    const caption = `Image-${image.number}`
    const drawn = make('img', { alt: '', draggable: 'false', width: image.size_wh[0], height: image.size_wh[1] })
    drawn.src = image.url
    return button({ class: 'picture', 'aria-label': words('conversation_picture', { image: caption, name: image.name }), title: image.name },
      () => turnTo(image.number, true), drawn, make('b', {}, image.number))
  }

  function relabel() {
    node.setAttribute('aria-label', words('names_question'))
    edit.relabel()
    back.relabel()
    steps.relabel()
    editor.relabel()
  }

  relabel()
  return { node, update, relabel, edit: () => { if (edit.node.isConnected) editor.open(question) } }
}

// Shows another version of a question, in whose node the focus stays on the arrows.
async function stepTo(id, name) {
  if (!await chooseQuestion(id) || document.activeElement !== document.body) return
  const arrows = [...document.querySelectorAll(`[data-question="${CSS.escape(id)}"] .turn-step:enabled`)]
  const arrow = arrows.find((one) => one.dataset.act === name) ?? arrows[0]
  arrow?.focus()
}

// stay: called when a reader opens the thinking before an answer that is over.
export function makeAnswer(stay) {
  let shown = null // { answer, question, versions }
  const since = Date.now()
  const thinking = makeThinking(stay)
  const text = makeAnswerText()
  const seen = makeSeen()
  const state = make('span', { class: 'state' })
  const line = make('p', { class: 'line-text' })
  const look = button({ class: 'inspect' }, () => { about.close(); inspect(shown.answer.id) })
  const seconds = make('span')
  const opener = button({ class: 'turn-act about' }, () => {}, icon('about'), seconds)
  const about = makePopup(opener, make('div', { class: 'told' }, line, look))
  const receipt = make('span', { class: 'receipt' }, state, opener, about.panel)
  const copy = copyButton('turns_copy', { class: 'turn-act', 'data-act': 'copy' }, () => shown.answer.text)
  const again = act('retry', 'retry', retry)
  const failure = make('p', { class: 'failure', hidden: true })
  const acts = make('div', { class: 'turn-acts' }, copy.node)
  const foot = make('div', { class: 'foot' }, acts, receipt)
  const node = make('div', { class: 'message bot', 'data-testid': 'bot', role: 'group' }, seen.node, thinking.node, text.node, failure, foot)
  const chooser = makeVersions()

  // busy: an answer comes; versions: those that one can choose among.
  function update(answer, { turn, last, question, versions, busy, several }) {
    shown = { answer, question, versions }
    node.dataset.answer = answer.id
    node.dataset.turn = turn
    receipt.className = `receipt turn-${turn}`
    grow(answer)
    acts.inert = busy
    copy.node.hidden = !answer.text
    again.node.id = last ? 'retry' : ''
    place(again.node, acts, last)
    chooser.show(acts, versions, answer)
    choosing(page.shown, several)
  }

  // What changes while it comes.
  function grow(answer) {
    shown.answer = answer
    node.classList.toggle('running', answer.state === 'running')
    set(node, { tabindex: answer.boxes.length ? '0' : null })
    thinking.update(answer)
    text.update(answer)
    seen.update(answer, shown.question)
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
    const repeated = question.answers[0]?.id !== answer.id
    const said = running ? stateText(answer, question.images, Math.floor((Date.now() - since) / 1000)) : marksText(answer, repeated)
    if (state.textContent !== said) state.textContent = said
    thinking.tick()
    opener.hidden = running
    if (running) return
    line.textContent = receiptText(answer, { whole: true, again: repeated })
    seconds.textContent = secondsText(answer)
  }

  // To who listens; what went wrong is the alert's.
  function said() {
    return shown.answer.failure ? text.node.innerText : sentences(text.node.innerText, failure.textContent, state.textContent)
  }

  function relabel() {
    node.setAttribute('aria-label', words('names_answer'))
    look.textContent = words('inspector_open')
    set(opener, { 'aria-label': words('receipt'), title: words('receipt') })
    again.relabel()
    thinking.relabel()
    text.relabel()
    copy.relabel()
    chooser.relabel()
    if (!shown) return
    tell()
    tick()
  }

  relabel()
  return { node, update, grow, choosing, tick, relabel, said, answer: () => shown.answer, phraseAt: text.phraseAt, light: text.light, reveal: text.reveal }
}

// What stands in place of an answer without text; nothing if it has some, or may still get it.
function nothingText({ state, text, boxes, thinking, receipt, failure }) {
  if (failure) return text ? '' : sentences(failure.what, failure.next_step)
  if (state === 'complete' && !text && thinking && receipt?.length) return sentences(words('thinking_cut_what'), words('thinking_cut_next'))
  if (state !== 'complete' || boxes.length || /[^\s\p{C}]/u.test(text)) return ''
  return sentences(words('answer_empty_what'), words('answer_empty_next'))
}

// Through the versions of an answer, and all of them side by side.
function makeVersions() {
  let all = []
  let at = 0
  const steps = makeSteps(['turns_earlier', 'turns_later'], choose)
  const beside = act('beside', 'turns_beside', () => compare(all, at, beside.node))
  const nodes = [...steps.nodes, beside.node]

  function show(acts, versions, answer) {
    all = versions
    at = versions.findIndex(({ id }) => id === answer.id)
    if (at < 0) return nodes.forEach((node) => node.remove())
    if (beside.node.parentNode !== acts) acts.append(...nodes)
    steps.show(versions.map(({ id }) => id), answer.id, false)
  }

  return { show, relabel: () => [steps, beside].forEach((one) => one.relabel()) }
}

// `< 2/3 >` through versions. keys: the names of both arrows; go(id, arrow): shows that version.
function makeSteps([back, forth], go) {
  let ids = []
  let at = 0
  const step = (by, name) => { if (ids[at + by]) go(ids[at + by], name) }
  const earlier = act('earlier', back, () => step(-1, 'earlier'))
  const later = act('later', forth, () => step(1, 'later'))
  const count = make('span', { class: 'turn-count' })
  for (const { node } of [earlier, later]) node.classList.add('turn-step')

  function show(all, shown, busy) {
    ids = all
    at = all.indexOf(shown)
    count.textContent = `${at + 1}/${all.length}`
    earlier.node.disabled = busy || at === 0
    later.node.disabled = busy || at === all.length - 1
  }

  return { show, nodes: [earlier.node, count, later.node], relabel: () => [earlier, later].forEach((one) => one.relabel()) }
}

// Gives a node these children; those that stay keep the focus.
function fill(parent, nodes) {
  for (const node of [...parent.children]) if (!nodes.includes(node)) node.remove()
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null)
  })
}

function place(node, parent, wanted) {
  if (wanted === (node.parentNode === parent)) return
  if (wanted) parent.append(node)
  else node.remove()
}
