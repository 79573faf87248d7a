// The composer's card: the message, the tray of pictures, the resolution, the context bar and the buttons. All of it
// is built once; what a person types or adds while something else happens stays.
import mountContextBar from '../context_bar/widget.js'
import { button, clamp, isComposing, make, onEnter, set } from '../lib/dom.js'
import { MOST_TILES, PICTURE_FILES } from '../lib/draft.js'
import { addFiles, focusComposer, newConversation, on, page, retry, runningAnswer, send, setMode, setText, stop } from '../lib/page.js'
import { onLanguage, words } from '../lib/words.js'
import { takeFilesAnywhere } from './dropping.js'
import { makeTray } from './tray.js'

const MODES = ['low', 'standard', 'high', 'custom']
const CUSTOM_TILES = 6 // where a choice of one's own begins
const MOST_LINES = 8
const hasKeys = matchMedia('(pointer: fine)').matches // on a phone the focus opens the keyboard

export default function mount(element) {
  const root = element.querySelector('.widget')
  const composer = makeMessage()
  const tray = make('div', { id: 'tray' })
  const choices = makeChoices()
  const bar = make('div', { id: 'context-bar' }, make('div', { class: 'widget' }))
  const actions = makeActions()
  const overlay = make('div', { class: 'drop-here', hidden: true })
  root.replaceChildren(composer.node, tray, choices.node, bar, actions.node, overlay)
  mountContextBar(bar)
  takeFilesAnywhere(overlay)

  let life = new AbortController()
  onLanguage(() => {
    life.abort()
    life = new AbortController()
    makeTray(tray, composer.choose, life.signal)
    composer.relabel()
    choices.relabel()
    actions.relabel()
    overlay.textContent = words('composer_drop')
  })
  document.addEventListener('keydown', (event) => {
    const elsewhere = event.defaultPrevented || document.querySelector('dialog[open]')
    if (event.key === 'Escape' && !isComposing(event) && !elsewhere && runningAnswer(page.conversation)) stop()
  })
  if (hasKeys && document.activeElement === document.body) composer.focus()
}

function makeMessage() {
  const area = make('textarea', { rows: 1, dir: 'auto' })
  const field = make('input', { type: 'file', accept: PICTURE_FILES, multiple: true, tabindex: '-1', hidden: true, 'aria-hidden': 'true' })
  const node = make('div', { id: 'composer' }, area, field)
  const choose = () => field.click()
  const focus = () => area.focus({ preventScroll: true })

  area.addEventListener('input', () => {
    setText(area.value)
    fit()
  })
  onEnter(area, send)
  field.addEventListener('change', () => {
    addFiles([...field.files])
    field.value = ''
  })

  // As high as its text, up to some lines.
  function fit() {
    area.style.height = 'auto'
    const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(area)
    const most = MOST_LINES * parseFloat(lineHeight) + parseFloat(paddingTop) + parseFloat(paddingBottom)
    area.style.height = `${Math.min(area.scrollHeight, most)}px`
    area.style.overflowY = area.scrollHeight > most ? 'auto' : 'hidden'
  }

  function draw() {
    if (area.value === page.draft.text) return
    area.value = page.draft.text
    fit()
  }

  // Where the cursor stands, with a space around it where there is none.
  function insert({ text }) {
    const before = area.value.slice(0, area.selectionStart)
    const after = area.value.slice(area.selectionEnd)
    const whole = `${before}${before && !/\s$/.test(before) ? ' ' : ''}${text}${/^\S/.test(after) ? ' ' : ''}`
    setText(whole + after)
    focus()
    area.setSelectionRange(whole.length, whole.length)
  }

  function relabel() {
    set(area, { 'aria-label': words('composer'), placeholder: words('composer_placeholder') })
    field.setAttribute('aria-label', words('names_upload'))
  }

  on('draft', draw)
  on('insert', insert)
  on('focus', focus)
  draw()
  new ResizeObserver(fit).observe(node)
  return { node, choose, focus, relabel }
}

// Low, standard, high; or custom, which shows a slider.
function makeChoices() {
  const radios = MODES.map((name) => make('input', { type: 'radio', name: 'mode', value: name }))
  const texts = MODES.map(() => make('span'))
  const labels = MODES.map((_, index) => make('label', {}, radios[index], texts[index]))
  const mode = make('div', { id: 'mode', role: 'radiogroup' }, ...labels)
  const title = make('span', { 'aria-hidden': 'true' })
  const range = make('input', { type: 'range', min: 1, max: MOST_TILES, step: 1, value: CUSTOM_TILES })
  const exact = make('input', { type: 'number', min: 1, max: MOST_TILES, step: 1, value: CUSTOM_TILES })
  const slider = make('div', { id: 'max-tiles', hidden: true }, title, range, exact)
  const node = make('div', { id: 'choices' }, mode, slider)

  mode.addEventListener('change', ({ target }) => setMode(target.value === 'custom' ? Number(range.value) : target.value))
  range.addEventListener('input', () => setMode(Number(range.value)))
  exact.addEventListener('change', () => {
    const tiles = Math.round(Number(exact.value))
    if (exact.value && Number.isFinite(tiles)) setMode(clamp(tiles, 1, MOST_TILES))
    draw()
  })

  function draw() {
    const own = typeof page.mode === 'number'
    const name = own ? 'custom' : page.mode
    MODES.forEach((one, index) => {
      radios[index].checked = one === name
      labels[index].classList.toggle('selected', one === name)
    })
    slider.hidden = !own
    if (own) range.value = exact.value = page.mode
  }

  function relabel() {
    mode.setAttribute('aria-label', words('mode'))
    MODES.forEach((name, index) => { texts[index].textContent = words(`mode_${name}`) })
    title.textContent = words('max_tiles')
    for (const field of [range, exact]) field.setAttribute('aria-label', words('max_tiles'))
  }

  on('draft', draw)
  draw()
  return { node, relabel }
}

function makeActions() {
  const acts = [['send', send], ['stop', stop], ['retry', retry], ['clear', newConversation]]
  const press = (act) => () => {
    act()
    if (hasKeys) focusComposer() // a button that is disabled now would lose the focus
  }
  const buttons = Object.fromEntries(acts.map(([name, act]) => [name, button({ id: name }, press(act))]))
  const node = make('div', { id: 'actions' }, ...Object.values(buttons))

  function draw() {
    const running = Boolean(runningAnswer(page.conversation))
    buttons.send.disabled = running || page.sending
    buttons.stop.disabled = !running
    buttons.retry.disabled = running || page.sending || !page.conversation?.questions.length
  }

  function relabel() {
    for (const [name, node] of Object.entries(buttons)) node.textContent = words(name)
  }

  for (const name of ['conversation', 'sending']) on(name, draw)
  draw()
  return { node, relabel }
}
