// Keys that work all over the page, and the dialog that lists them (`?`). A key with a letter does nothing while somebody
// types; what belongs to one widget alone is heard there.
import { button, isComposing, make } from '../lib/dom.js'
import { allImages, emit, focusComposer, newConversation, page, turnTo } from '../lib/page.js'
import { words } from '../lib/words.js'

const LISTED = [
  ['Enter', 'keys_send'], ['Shift+Enter', 'keys_line'], ['Esc', 'keys_stop'], ['↑', 'keys_edit'], ['@', 'keys_image'], ['/', 'keys_focus'],
  ['Ctrl+K', 'keys_conversations'], ['Ctrl+Shift+O', 'keys_new'], ['Alt+1 … 9', 'keys_turn'], ['+ − 0', 'keys_zoom'],
  ['B', 'keys_boxes'], ['T', 'keys_tiles'], ['R', 'keys_region'], ['?', 'keys_list'],
]
const PRESSED = { b: '#viewer .box-list summary', t: '#viewer .tool.xray', r: '#viewer .tool.select' }

export function makeKeys() {
  const title = make('h2')
  const close = button({ class: 'act close' }, () => dialog.close())
  const list = make('dl')
  const dialog = make('dialog', { class: 'keys' }, title, list, make('div', { class: 'buttons' }, close))

  function relabel() {
    title.textContent = words('keys')
    dialog.setAttribute('aria-label', words('keys'))
    close.textContent = words('close')
    list.replaceChildren(...LISTED.flatMap(([key, name]) => [make('dt', {}, make('kbd', {}, key)), make('dd', {}, words(name))]))
  }

  const typing = ({ target }) => target.closest?.('input:not([type=radio], [type=range], [type=checkbox]), textarea, select, [contenteditable]')

  // The deed of a key; nothing for one that is not the page's.
  function deed(event) {
    const { key, altKey, shiftKey } = event
    const control = event.ctrlKey || event.metaKey
    const letter = key.toLowerCase()
    if (control && !shiftKey && letter === 'k') return () => emit('list')
    if (control && shiftKey && letter === 'o') return () => { newConversation(); focusComposer() }
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)
    if (altKey && !control && digit && allImages()[digit[1] - 1]) return () => turnTo(Number(digit[1]), true)
    if (control || altKey) return null
    if (key === 'ArrowUp' && event.target.matches?.('#composer textarea') && !event.target.value && page.conversation?.questions.length) return () => emit('edit')
    if (typing(event)) return null
    if (key === '/') return focusComposer
    if (key === '?') return () => dialog.showModal()
    const pressed = PRESSED[letter] && document.querySelector(PRESSED[letter])
    return pressed ? () => pressed.click() : null
  }

  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || isComposing(event) || document.querySelector('dialog[open], :popover-open')) return
    const act = deed(event)
    if (!act) return
    event.preventDefault()
    act()
  })

  return { node: dialog, relabel }
}
