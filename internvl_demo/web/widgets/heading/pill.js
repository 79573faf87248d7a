// The pill: which model answers, and in words how it is; a press tells what it is good for. Names are the server's words.
import { button, icon, make, set } from '../lib/dom.js'
import { makePopup } from '../lib/popup.js'
import { number, words } from '../lib/words.js'

export function makePill() {
  const name = make('span', { class: 'name' })
  const short = make('span', { class: 'short' })
  const state = make('span', { class: 'state' })
  const node = button({ id: 'model-pill', 'data-state': 'unknown', hidden: true }, () => {},
    make('i', { class: 'dot', 'aria-hidden': 'true' }), name, short, state, icon('down'))
  const panel = make('div', { id: 'model-card', role: 'dialog' })
  makePopup(node, panel)
  set(node, { 'aria-haspopup': 'dialog', 'aria-controls': 'model-card' })
  let drawn = ''

  // model: GET api/model, or null; isOffline: whether the page's own server is out of reach.
  function draw(model, isOffline) {
    node.hidden = !model
    if (!model) return
    const called = model.miniature ? words('model_miniature') : model.title
    const how = isOffline ? words('model_offline') : stateText(model)
    set(node, { 'data-state': isOffline ? 'down' : model.state.kind })
    name.textContent = called
    short.textContent = model.miniature ? words('model_miniature_short') : ''
    state.textContent = how
    set(node, { 'aria-label': words('model_about', { name: called, state: how || words('model_ready') }) })
    tell(model, called, how)
  }

  function tell(model, called, how) {
    const { context_length, miniature, tokens_per_tile } = model
    const good = miniature ? ['model_good_miniature', 'model_bad_miniature', 'model_real_one'] : ['model_good', 'model_bad']
    const rows = [['model_context', context_length], ['model_tile', tokens_per_tile]]
    const texts = good.map((key) => words(key))
    const facts = rows.flatMap(([key, count]) => [words(key), words('model_tokens', { count: number(count) })])
    const all = JSON.stringify([called, how, texts, facts])
    if (all === drawn) return
    drawn = all
    set(panel, { 'aria-label': called })
    panel.replaceChildren(
      make('h2', {}, called), make('p', { class: 'now' }, busyText(model, how)), ...texts.map((text) => make('p', {}, text)),
      make('dl', {}, ...facts.map((text, place) => make(place % 2 ? 'dd' : 'dt', {}, text))))
  }

  return { node, panel, draw }
}

// What the pill says besides the name; nothing while the model is ready and nobody waits.
function stateText({ state: { kind, per_cent }, queue }) {
  if (kind === 'loading') return per_cent === undefined ? words('model_loading') : words('model_loading_share', { percent: per_cent })
  if (kind === 'down') return words('model_down')
  return queue.waiting ? words('model_waiting', { count: queue.waiting }) : ''
}

function busyText({ queue: { running } }, how) {
  return [how || words('model_ready'), running && words('model_running', { count: running })].filter(Boolean).join(' · ')
}
