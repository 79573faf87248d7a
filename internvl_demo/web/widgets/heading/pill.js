// The pill: which model answers, and in words how it is; a press tells what it is good for, and which others the page
// has. Names are the server's words. `choose(model)`: another is taken.
import { button, icon, make, set } from '../lib/dom.js'
import { makePopup } from '../lib/popup.js'
import { number, words } from '../lib/words.js'

export function makePill(choose) {
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
    const called = nameOf(model)
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
    const others = model.models.length > 1 ? model.models : []
    const all = JSON.stringify([called, how, texts, facts, others, model.id])
    if (all === drawn) return
    drawn = all
    const held = panel.contains(document.activeElement) // by the choice that is drawn anew
    set(panel, { 'aria-label': called })
    panel.replaceChildren(
      make('h2', {}, called), make('p', { class: 'now' }, busyText(model, how)), ...texts.map((text) => make('p', {}, text)),
      make('dl', {}, ...facts.map((text, place) => make(place % 2 ? 'dd' : 'dt', {}, text))),
      ...others.length ? [choice(others, model.id)] : [])
    if (held) panel.querySelector('input:checked')?.focus()
  }

  // All models of the page. One that is not loaded says what it takes before it is chosen.
  function choice(models, current) {
    const rows = models.map((model) => {
      const radio = make('input', { type: 'radio', name: 'model', value: model.id, checked: model.id === current })
      radio.addEventListener('change', () => choose(model))
      return make('label', {}, radio, make('b', {}, nameOf(model)), make('span', {}, aboutText(model)))
    })
    return make('fieldset', { class: 'models' }, make('legend', {}, words('model_choose')), ...rows)
  }

  return { node, panel, draw }
}

function nameOf(model) {
  return model.miniature ? words('model_miniature') : model.title
}

// How one of several models is, and what it needs while it is not loaded.
function aboutText({ state, needs }) {
  if (state.kind !== 'idle') return stateText({ state, queue: { waiting: 0 } }) || words('model_ready')
  if (!needs) return words('model_idle')
  const [download, memory] = [needs.download_gb, needs.memory_gb]
  return `${words('model_idle')} · ${words(needs.download_gb ? 'model_needs_download' : 'model_needs', { download, memory })}`
}

// What the pill says besides the name; nothing while the model is ready and nobody waits.
function stateText({ state: { kind, per_cent }, queue }) {
  if (kind === 'loading') return per_cent === undefined ? words('model_loading') : words('model_loading_share', { percent: per_cent })
  if (kind === 'down') return words('model_down')
  if (kind === 'idle') return words('model_idle')
  return queue.waiting ? words('model_waiting', { count: queue.waiting }) : ''
}

function busyText({ queue: { running } }, how) {
  return [how || words('model_ready'), running && words('model_running', { count: running })].filter(Boolean).join(' · ')
}
