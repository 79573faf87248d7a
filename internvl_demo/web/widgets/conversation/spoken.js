// What is told of an answer to who listens to the page: once what it waits for, and once, when it is over, what it says.
// The list of messages itself is silent, for the text of an answer that grows is drawn again and again.
import { make } from '../lib/dom.js'
import { words } from '../lib/words.js'
import { waitsText } from './receipts.js'

const STANDS_MS = 5000 // then who reads the page from top to bottom meets it once

export function makeSpoken() {
  const node = make('p', { class: 'unseen', role: 'status' })
  let coming = '' // the id of the answer that comes
  let timer = 0

  function tell(text) {
    clearTimeout(timer)
    if (node.textContent !== text) node.textContent = text
  }

  function wait(answer, images) {
    coming = answer.id
    if (!answer.text) tell(answer.thinking ? words('thinking_now') : waitsText(answer, images))
  }

  // No answer comes. saidBy(id): what the last says; nothing if it is not shown.
  function rest(saidBy) {
    if (!coming) return
    tell(saidBy(coming))
    coming = ''
    timer = setTimeout(() => tell(''), STANDS_MS)
  }

  return { node, wait, rest }
}
