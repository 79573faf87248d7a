// The page's head: its title, what it is for, which model answers, and why it cannot answer now. The model is asked
// about often while there is something to say, and seldom otherwise.
import { button, make } from '../lib/dom.js'
import { emit, page } from '../lib/page.js'
import { call } from '../lib/api.js'
import { language, onLanguage, setLanguage, words } from '../lib/words.js'

const SOON_MS = 1000
const SELDOM_MS = 10_000

export default function mount(element) {
  const tagline = make('p', { id: 'tagline' })
  const note = make('p', { id: 'model-note' })
  const other = button({ id: 'switch-language' }, () => setLanguage(language() === 'zh' ? 'en' : 'zh'))
  const state = make('div', { id: 'server-state', role: 'status', hidden: true })
  element.querySelector('.widget').replaceChildren(
    make('h1', { id: 'title' }, 'InternVL 1.5'), tagline, note, other, state)

  function draw() {
    tagline.textContent = words('tagline')
    other.textContent = words('language')
    const { model } = page
    note.textContent = !model ? '' : model.miniature ? words('model_miniature') : model.title
    const problem = model?.state
    state.hidden = !problem
    state.replaceChildren(...problem ? [make('strong', {}, problem.what), ` ${problem.next_step}`] : [])
  }

  async function ask() {
    try {
      page.model = await call('GET', 'api/model')
      emit('model', page.model)
      draw()
    } catch { /* the next time */ }
    setTimeout(ask, page.model?.state ? SOON_MS : SELDOM_MS)
  }

  onLanguage(() => {
    draw()
    ask()
  })
  draw()
  ask()
}
