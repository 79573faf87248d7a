// The composer's card: pictures that wait, the message, and one row with all that belongs to a question: + for pictures,
// the detail, the ring of the context, and one round button that sends or stops. All of it is built once; what a person
// types or adds while something else happens stays.
import { HAS_KEYS, button, icon, isComposing, make, onEnter, set } from '../lib/dom.js'
import { PICTURE_FILES } from '../lib/draft.js'
import { addFiles, focusComposer, on, page, runningAnswer, send, setText, stop } from '../lib/page.js'
import { onLanguage, words } from '../lib/words.js'
import { makeAdding } from './adding.js'
import { makeDetail } from './detail.js'
import { takeFilesAnywhere } from './dropping.js'
import { makeKeys } from './keys.js'
import { makeRing } from './ring.js'
import { makeTray } from './tray.js'

const MOST_LINES = 8
const HINT_MS = 4000

export default function mount(element) {
  const root = element.querySelector('.widget')
  const hint = make('p', { class: 'hint', role: 'status' })
  const composer = makeMessage(hint)
  const tray = make('div', { id: 'tray' })
  const adding = make('div', { class: 'adding' })
  const detail = makeDetail()
  const ring = makeRing()
  const round = makeRound()
  const keys = makeKeys()
  const overlay = make('div', { class: 'drop-here', hidden: true })
  const row = make('div', { class: 'row' }, adding, detail.node, ring.node, hint, round.node)
  root.replaceChildren(make('div', { class: 'card' }, tray, composer.node, ring.panel, row), overlay, keys.node)
  takeFilesAnywhere(overlay)

  let life = new AbortController()
  onLanguage(() => {
    life.abort()
    life = new AbortController()
    makeTray(tray, life.signal)
    makeAdding(adding, composer.choose)
    for (const part of [composer, detail, ring, round, keys]) part.relabel()
    overlay.textContent = words('composer_drop')
  })
  document.addEventListener('keydown', (event) => {
    const elsewhere = event.defaultPrevented || document.querySelector('dialog[open], :popover-open')
    if (event.key === 'Escape' && !isComposing(event) && !elsewhere && runningAnswer(page.conversation)) stop()
  })
  if (HAS_KEYS && document.activeElement === document.body) composer.focus()
  window.visualViewport?.addEventListener('resize', fitAboveKeyboard)
}

// A phone's keyboard covers the page's lower part; the page takes what is left, and its composer stays in sight.
function fitAboveKeyboard() {
  const { height, scale } = window.visualViewport
  document.documentElement.style.setProperty('--height', scale === 1 ? `${height}px` : null)
}

function makeMessage(hint) {
  const area = make('textarea', { rows: 1, dir: 'auto' })
  const field = make('input', { type: 'file', accept: PICTURE_FILES, multiple: true, tabindex: '-1', hidden: true, 'aria-hidden': 'true' })
  const node = make('div', { id: 'composer' }, area, field)
  const choose = () => field.click()
  const focus = () => area.focus({ preventScroll: true })
  let hinting = 0

  area.addEventListener('input', () => {
    setText(area.value)
    fit()
  })
  onEnter(area, () => {
    if (!runningAnswer(page.conversation)) return send()
    hint.textContent = words('composer_busy')
    clearTimeout(hinting)
    hinting = setTimeout(() => { hint.textContent = '' }, HINT_MS)
  })
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

  function relabel() {
    set(area, { 'aria-label': words('composer'), placeholder: words('composer_placeholder') })
    field.setAttribute('aria-label', words('names_upload'))
  }

  on('draft', draw)
  on('focus', focus)
  draw()
  new ResizeObserver(fit).observe(node)
  return { node, choose, focus, relabel }
}

// One round button: Send, or Stop while an answer comes.
function makeRound() {
  const press = (act) => () => {
    act()
    if (HAS_KEYS) focusComposer() // a button that goes would lose the focus
  }
  const go = button({ id: 'send' }, press(send), icon('send'))
  const halt = button({ id: 'stop' }, press(stop), icon('stop'))
  const node = make('div', { class: 'round' }, go, halt)

  function draw() {
    const busy = Boolean(runningAnswer(page.conversation))
    const { text, chips } = page.draft
    go.hidden = busy
    halt.hidden = halt.disabled = !busy
    go.disabled = busy || page.sending || !(text.trim() || chips.length || page.uploads)
  }

  function relabel() {
    for (const [name, one] of [['send', go], ['stop', halt]]) set(one, { 'aria-label': words(name), title: words(name) })
  }

  for (const name of ['conversation', 'sending', 'draft']) on(name, draw)
  draw()
  return { node, relabel }
}
