// What the question takes of the model's context: one stacked bar, a sentence, and when it does not fit what would
// help. The server words it (POST api/budget); a change that is clicked is applied to the composer, nothing else is.
import { button, make } from '../lib/dom.js'
import { applyOffer, on, page } from '../lib/page.js'
import { between } from '../lib/words.js'

const KINDS = ['text', 'image', 'draft', 'answer']

export default function mount(element) {
  const root = element.querySelector('.widget')
  const bar = make('div', { class: 'bar', 'aria-hidden': 'true' }) // the list says the same in words
  const list = make('ul', { class: 'unseen' })
  const sentence = make('p', { class: 'sentence' })
  const trouble = make('div', { class: 'trouble', role: 'status' })
  const fixes = make('div', { class: 'fixes' })
  let shown = ''
  root.replaceChildren(bar, list, sentence, trouble, fixes)

  function drawBar({ parts = [], limit = 1 }) {
    bar.replaceChildren(...parts.map(segment))
    list.replaceChildren(...parts.map(({ text }) => make('li', {}, text)))
    if (!(limit < 1)) return
    const over = make('span', { class: 'over' })
    over.style.left = percent(limit)
    bar.append(over)
  }

  function drawProblem({ problem, fixes: offers = [] }) {
    trouble.replaceChildren()
    if (problem) trouble.append(make('strong', {}, problem.what), between(problem.what), problem.next_step)
    fixes.replaceChildren(...offers.map(({ key, text }) => button({ class: 'fix' }, () => choose(key), text)))
  }

  // As the server offers it now: the same offer may leave a little more by now.
  function choose(key) {
    const fix = page.budget?.fixes.find((one) => one.key === key)
    if (fix) applyOffer(fix)
  }

  function draw() {
    const value = page.budget ?? {}
    root.classList.toggle('shown', Boolean(value.parts?.length || value.problem))
    bar.hidden = !value.parts?.length
    root.classList.toggle('full', Boolean(value.problem))
    drawBar(value)
    sentence.textContent = value.sentence ?? ''
    const now = JSON.stringify([value.problem, value.fixes?.map(({ key, text }) => [key, text])])
    if (now === shown) return // the same offers stay the same buttons: focus is not lost while somebody types
    shown = now
    drawProblem(value)
  }

  on('budget', draw)
  draw()
}

function segment({ kind, caption, share, text }) {
  const part = make('span', { class: `part ${KINDS.includes(kind) ? kind : 'text'}`, title: text }, make('b', { class: 'caption' }, caption))
  part.style.width = percent(share)
  return part
}

function percent(share) {
  return `${Math.min(Math.max(Number(share) || 0, 0), 1) * 100}%`
}
