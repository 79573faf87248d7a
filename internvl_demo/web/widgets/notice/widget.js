// The page's one alert: what went wrong and what to do now, and folded away what only whoever runs the page can use.
// In its place stands for some seconds that a model that was down is ready. Text only: it may hold anything.
import { warn } from '../lib/drafting.js'
import { button, icon, make } from '../lib/dom.js'
import { on, page, tell } from '../lib/page.js'
import { between, onLanguage, sentences, words } from '../lib/words.js'
import { makeAlerts } from './alerts.js'

const BACK_MS = 8000

export default function mount(element) {
  const alerts = makeAlerts()
  const what = make('strong')
  const said = make('p', { class: 'said', role: 'alert' })
  const summary = make('summary')
  const more = make('p')
  const details = make('details', { hidden: true }, summary, more)
  const close = button({ class: 'close', hidden: true }, dismiss, icon('remove'))
  const alert = make('div', { class: 'alert' }, said, close, details)
  const back = make('p', { class: 'back', role: 'status' })
  element.querySelector('.widget').replaceChildren(alert, back)
  let wasAway = false
  let timer = 0

  function draw() {
    const problem = alerts.shown()?.problem
    const text = problem ? sentences(problem.what, problem.next_step) : ''
    if (said.textContent !== text) {
      what.textContent = problem?.what ?? ''
      said.replaceChildren(...(text ? [what, between(problem.what), problem.next_step] : []))
      details.open = false
    }
    alert.classList.toggle('shown', Boolean(text))
    close.hidden = !text
    more.textContent = problem?.details ?? ''
    details.hidden = !more.textContent
  }

  function dismiss() {
    const { source } = alerts.shown()
    if (source === 'notice') tell(null)
    else if (source === 'trouble') warn(null)
    else alerts.close()
    draw()
  }

  function look(source, problem) {
    alerts.change(source, problem)
    draw()
  }

  // A model that was away and is ready: what was told because of it is no longer so.
  function lookAtModel({ state }) {
    const isAway = state.kind !== 'ready'
    look('model', isAway ? state : null)
    if (wasAway && !isAway) {
      if (page.notice && !page.notice.stays) tell(null)
      sayBack(words('model_back'))
    }
    if (isAway) sayBack('')
    wasAway = isAway
  }

  function sayBack(text) {
    clearTimeout(timer)
    back.textContent = text
    back.classList.toggle('shown', Boolean(text))
    if (text) timer = setTimeout(() => sayBack(''), BACK_MS)
  }

  on('notice', () => look('notice', page.notice))
  on('draft', () => look('trouble', page.trouble))
  on('model', lookAtModel)
  onLanguage(() => {
    summary.textContent = words('notice_details')
    close.setAttribute('aria-label', words('close'))
    if (back.textContent) back.textContent = words('model_back')
    draw()
  })
  look('notice', page.notice)
  look('trouble', page.trouble)
  if (page.model) lookAtModel(page.model)
}
