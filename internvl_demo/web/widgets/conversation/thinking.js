// What a model thought before its answer: one line with its time, under which it is folded. It is drawn when it is opened,
// and no part of the answer: nobody copies it or hears it without asking.
import { make } from '../lib/dom.js'
import { words } from '../lib/words.js'
import { makeAnswerText } from './answer-text.js'

// stay: called when it is opened below an answer that is over.
export function makeThinking(stay) {
  let answer = null
  let told = 0 // when its seconds were told
  const text = makeAnswerText()
  const label = make('span')
  // a name that changes each second would be read each second
  const seconds = make('span', { class: 'seconds', 'aria-hidden': 'true' })
  const node = make('details', { class: 'thinking', hidden: true }, make('summary', {}, label, seconds), text.node)
  node.addEventListener('toggle', () => draw())
  node.firstChild.addEventListener('click', () => { if (!node.open && answer.state !== 'running') stay() })

  const thinks = () => answer.state === 'running' && !answer.text

  function update(fresh) {
    if (fresh.thinking?.seconds !== answer?.thinking?.seconds) told = Date.now()
    answer = fresh
    node.hidden = !answer.thinking
    if (!answer.thinking) return
    draw()
    tick()
  }

  // Markdown of what is folded would be drawn again and again for nobody.
  function draw() {
    if (node.open) text.update({ ...answer.thinking, boxes: [], state: thinks() ? 'running' : 'complete' })
  }

  function tick() {
    if (!answer?.thinking) return
    const passed = thinks() ? (Date.now() - told) / 1000 : 0
    const known = Number.isFinite(answer.thinking.seconds)
    const time = known ? Math.floor(answer.thinking.seconds + passed) : null
    write(label, thinks() ? words('thinking_now') : overText(time))
    write(seconds, thinks() && known ? words('state_seconds', { seconds: time }) : '')
  }

  function overText(time) {
    const cut = answer.state !== 'running' && !answer.text
    if (time === null) return words(cut ? 'thinking_cut_untimed' : 'thinking_done_untimed')
    return words(cut ? 'thinking_cut' : 'thinking_done', { seconds: Math.max(1, time) })
  }

  function relabel() {
    text.relabel()
    tick()
  }

  return { node, update, tick, relabel }
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text
}
