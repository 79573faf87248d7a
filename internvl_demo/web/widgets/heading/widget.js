// The page's head: its title, the pill that tells which model answers and how it is, and the other language. The
// model is looked at while the page is seen, more often while it cannot answer or somebody waits for it.
import { button, make } from '../lib/dom.js'
import { emit, page, tell } from '../lib/page.js'
import { chooseModel, lookAtModel } from '../lib/model.js'
import { language, onLanguage, setLanguage, words } from '../lib/words.js'
import { makePill } from './pill.js'

const SOON_MS = 2000
const SELDOM_MS = 5000
const LONGEST_MS = 10_000 // a look that takes longer has failed
const MISSED = 2 // looks in a row that failed, until the page says so

export default function mount(element) {
  const pill = makePill(change)
  const other = button({ id: 'switch-language' }, () => setLanguage(language() === 'zh' ? 'en' : 'zh'))
  element.querySelector('.widget').replaceChildren(
    make('h1', { id: 'title' }, 'InternVL 1.5'), pill.node, pill.panel, other)
  let timer = 0
  let turn = 0
  let missed = 0

  function draw() {
    other.textContent = words('language')
    pill.draw(page.model, missed >= MISSED)
  }

  async function look() {
    clearTimeout(timer)
    const mine = ++turn
    try {
      const model = await lookAtModel(AbortSignal.timeout(LONGEST_MS))
      if (mine !== turn) return
      missed = 0
      take(model)
    } catch {
      if (mine !== turn) return
      missed += 1
    }
    draw()
    if (!document.hidden) timer = setTimeout(look, isCalm() ? SELDOM_MS : SOON_MS)
  }

  // Another of the page's models answers from now on.
  async function change(model) {
    try {
      await chooseModel(model)
    } catch (problem) {
      tell(problem)
    }
    look()
  }

  // The length of the queue alone is nobody else's business.
  function take(model) {
    const before = page.model && { ...page.model, queue: null }
    page.model = model
    if (JSON.stringify(before) !== JSON.stringify({ ...model, queue: null })) emit('model', model)
  }

  function isCalm() {
    return !missed && page.model?.state.kind === 'ready' && !page.model.queue.waiting
  }

  document.addEventListener('visibilitychange', () => { if (!document.hidden) look() })
  onLanguage(() => {
    draw()
    look()
  })
}
