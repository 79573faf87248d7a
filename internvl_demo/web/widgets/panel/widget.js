// The list of the person's conversations: open, rename, delete, begin a new one. It lies over the page, behind a button.
// Titles are people's words, set as text.
import { button, icon, isComposing, make, onEnter } from '../lib/dom.js'
import { focusComposer, newConversation, on, openConversation, page, readEntries, remove, rename } from '../lib/page.js'
import { language, onLanguage, words } from '../lib/words.js'

const TITLE_LENGTH = 80 // characters of a title that the server keeps

// Return a function that tells a time in words: today's as hours and minutes, another day's as its date.
function timeTeller() {
  const format = (parts) => new Intl.DateTimeFormat(language() === 'zh' ? 'zh-CN' : 'en-GB', parts)
  const [hours, days] = [format({ hour: '2-digit', minute: '2-digit' }), format({ year: 'numeric', month: 'short', day: 'numeric' })]
  const today = new Date().toDateString()
  return (seconds) => {
    const date = new Date(seconds * 1000)
    return (date.toDateString() === today ? hours : days).format(date)
  }
}

export default function mount(element) {
  let asking = null // the id of the conversation that is about to be deleted
  let drawn = '' // the entries, as JSON
  let shown = null // the id of the conversation that is marked
  let naming = null // { id, text }: the one that is being renamed, and its title so far

  const label = make('span')
  const count = make('span', { class: 'count' })
  const toggle = button({ class: 'panel-toggle', 'aria-haspopup': 'dialog' }, open, icon('menu'), label, count)
  const title = make('h2')
  const close = button({ class: 'panel-close' }, () => dialog.close(), '×')
  const fresh = button({ class: 'panel-new' }, () => { dialog.close(); newConversation() })
  const list = make('ul')
  const empty = make('p', { class: 'empty' })
  const dialog = make('dialog', { class: 'conversations' }, make('header', {}, title, close), fresh, list, empty)
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close() }) // beside it
  const beginText = make('span')
  const begin = button({ id: 'clear' }, () => { newConversation(); if (matchMedia('(pointer: fine)').matches) focusComposer() }, icon('plus'), beginText)
  element.querySelector('.widget').replaceChildren(toggle, begin, dialog)

  // Another tab may have changed the list meanwhile.
  function open() {
    dialog.showModal()
    readEntries()
  }

  const act = (name, id, attributes, deed, ...inside) => button({ 'data-key': `${name} ${id}`, ...attributes }, deed, ...inside)

  function row(entry, time) {
    if (asking === entry.id) return make('li', {}, ...question(entry))
    if (naming?.id === entry.id) return make('li', {}, form(entry))
    return make('li', {}, ...acts(entry, time))
  }

  function acts({ id, title: text, updated_at }, time) {
    const small = (key) => ({ class: 'small', 'aria-label': `${words(key)}: ${text}`, title: words(key) })
    return [
      act('open', id, { class: 'open', 'aria-current': id === page.conversation?.id ? 'true' : null }, () => { dialog.close(); openConversation(id) },
        make('span', { class: 'title' }, text || words('panel_untitled')), make('time', {}, time(updated_at))),
      act('name', id, small('panel_rename'), () => { naming = { id, text }; draw(`field ${id}`, true) }, icon('edit')),
      act('drop', id, small('panel_delete'), () => { asking = id; draw(`sure ${id}`) }, icon('bin')),
    ]
  }

  function question({ id }) {
    return [
      make('span', { class: 'sure' }, words('panel_sure')),
      act('sure', id, { class: 'danger' }, () => { asking = null; remove(id); fresh.focus() }, words('panel_delete')),
      act('keep', id, { class: 'keep' }, () => { asking = null; draw(`drop ${id}`) }, words('panel_keep')),
    ]
  }

  function form({ id }) {
    const field = make('input', { 'data-key': `field ${id}`, 'aria-label': words('panel_rename'), maxlength: TITLE_LENGTH })
    field.value = naming.text
    field.addEventListener('input', () => { naming.text = field.value })
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || isComposing(event)) return
      event.preventDefault() // the list stays open
      event.stopPropagation()
      naming = null
      draw(`name ${id}`)
    })
    const node = make('form', {}, field, make('button', { type: 'submit', 'data-key': `done ${id}` }, words('panel_rename')))
    onEnter(field, () => node.requestSubmit())
    node.addEventListener('submit', (event) => {
      event.preventDefault()
      naming = null
      if (field.value.trim()) rename(id, field.value)
      draw(`name ${id}`)
    })
    return node
  }

  // The list is drawn anew whenever the entries change: what has the focus keeps it.
  function draw(focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null, whole = false) {
    const { selectionStart: from, selectionEnd: to } = document.activeElement
    shown = page.conversation?.id
    drawn = JSON.stringify(page.entries)
    count.textContent = page.entries.length || ''
    label.textContent = title.textContent = words('panel_conversations')
    dialog.setAttribute('aria-label', words('panel_conversations'))
    fresh.textContent = words('panel_new')
    close.setAttribute('aria-label', words('close'))
    beginText.textContent = words('clear')
    toggle.title = words('panel_conversations')
    begin.title = words('panel_new')
    empty.textContent = page.entries.length ? '' : words('panel_empty')
    const time = timeTeller()
    list.replaceChildren(...page.entries.map((entry) => row(entry, time)))
    if (!focused) return
    const node = [...list.querySelectorAll('[data-key]')].find((one) => one.dataset.key === focused)
    ;(node ?? fresh).focus()
    if (whole) node?.select()
    else if (node?.matches('input') && from !== undefined) node.setSelectionRange(from, to)
  }

  on('entries', () => { if (drawn !== JSON.stringify(page.entries)) draw() })
  on('list', open)
  on('conversation', () => { if (shown !== page.conversation?.id) draw() })
  onLanguage(() => draw())
}
