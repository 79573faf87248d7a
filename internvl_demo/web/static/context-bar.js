// What the question takes of the model's context: one stacked bar, a sentence, and when it does not fit what would help.
// A click on a change tells its key to Python: trigger('fix', { key }). Nothing is changed here. A pause in typing is
// told as well, trigger('typed'), so that the bar follows the text without asking at every key.
const PAUSE_MS = 600
const box = element.querySelector('.widget')
const KINDS = ['text', 'image', 'draft', 'answer']
let shown = ''

function make(tag, name, text = '') {
  const node = document.createElement(tag)
  node.className = name
  node.textContent = text
  return node
}

function percent(share) {
  return `${Math.min(Math.max(Number(share) || 0, 0), 1) * 100}%`
}

function segment({ kind, caption, share, text }) {
  const part = make('span', `part ${KINDS.includes(kind) ? kind : 'text'}`)
  part.style.width = percent(share)
  part.title = text
  part.append(make('b', 'caption', caption))
  return part
}

const bar = make('div', 'bar')
bar.setAttribute('aria-hidden', 'true') // the list says the same in words
const list = make('ul', 'unseen')
const sentence = make('p', 'sentence')
const trouble = make('div', 'trouble')
trouble.setAttribute('role', 'status')
const fixes = make('div', 'fixes')

function drawBar({ parts = [], limit = 1 }) {
  bar.replaceChildren(...parts.map(segment))
  list.replaceChildren(...parts.map(({ text }) => make('li', '', text)))
  if (limit >= 1) return
  const over = make('span', 'over')
  over.style.left = percent(limit)
  bar.append(over)
}

function drawProblem({ problem, fixes: offers = [] }) {
  trouble.replaceChildren()
  if (problem) trouble.append(make('strong', '', problem.what), ` ${problem.next_step}`)
  fixes.replaceChildren(
    ...offers.map(({ key, text }) => {
      const button = make('button', 'fix', text)
      button.type = 'button'
      button.addEventListener('click', () => trigger('fix', { key }))
      return button
    }),
  )
}

function draw() {
  const value = props.value ?? {}
  box.classList.toggle('shown', Boolean(value.parts?.length))
  box.classList.toggle('full', Boolean(value.problem))
  drawBar(value)
  sentence.textContent = value.sentence ?? ''
  const now = JSON.stringify([value.problem, value.fixes])
  if (now === shown) return // the same offers stay the same buttons: focus is not lost while somebody types
  shown = now
  drawProblem(value)
}

box.append(bar, list, sentence, trouble, fixes)
watch('value', draw)
draw()

let pause = 0
document.addEventListener('input', ({ target }) => {
  if (!target.closest?.('#composer')) return
  clearTimeout(pause)
  pause = setTimeout(() => trigger('typed'), PAUSE_MS)
})
