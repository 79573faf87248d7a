// The list of the person's conversations by days: find, open, rename, delete, begin a new one. It lies over the page,
// behind a button.
// Titles are people's words, set as text.
import { HAS_KEYS, button, icon, isComposing, make, onEnter, set } from '../lib/dom.js'
import { focusComposer, newConversation, on, openConversation, page, readEntries, remove, rename } from '../lib/page.js'
import { language, onLanguage, words } from '../lib/words.js'

const TITLE_LENGTH = 80 // characters of a title that the server keeps

// Return functions that tell in words the day, and the hours and minutes, of a time in seconds.
function tellers() {
  const format = (parts) => new Intl.DateTimeFormat(language() === 'zh' ? 'zh-CN' : 'en-GB', parts)
  const [hours, days] = [format({ hour: '2-digit', minute: '2-digit' }), format({ year: 'numeric', month: 'long', day: 'numeric' })]
  const yesterday = new Date()
  yesterday.setDate(yesterday.getDate() - 1)
  const near = new Map([[new Date().toDateString(), words('panel_today')], [yesterday.toDateString(), words('panel_yesterday')]])
  const date = (seconds) => new Date(seconds * 1000)
  return { day: (seconds) => near.get(date(seconds).toDateString()) ?? days.format(date(seconds)), time: (seconds) => hours.format(date(seconds)) }
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
  const search = make('input', { type: 'search', class: 'search', autocomplete: 'off' })
  const list = make('div', { class: 'list' })
  const empty = make('p', { class: 'empty', role: 'status' })
  const dialog = make('dialog', { class: 'conversations' }, make('header', {}, title, close), fresh, search, list, empty)
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close() }) // beside it
  const beginText = make('span')
  const begin = button({ id: 'clear' }, () => { newConversation(); if (HAS_KEYS) focusComposer() }, icon('plus'), beginText)
  element.querySelector('.widget').replaceChildren(toggle, begin, dialog)

  search.addEventListener('input', () => draw())
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !search.value || isComposing(event)) return
    event.preventDefault() // the list stays open
    search.value = ''
    draw()
  })

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
    const small = (key) => ({ class: 'small', 'aria-label': words('panel_deed', { deed: words(key), title: text }), title: words(key) })
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
    set(search, { 'aria-label': words('panel_search'), placeholder: words('panel_search') })
    search.hidden = !page.entries.length
    const wanted = search.value.trim().toLocaleLowerCase()
    const found = page.entries.filter((entry) => entry.title.toLocaleLowerCase().includes(wanted))
    empty.textContent = found.length ? '' : words(page.entries.length ? 'panel_none' : 'panel_empty')
    const { day, time } = tellers()
    const days = Map.groupBy(found, (entry) => day(entry.updated_at))
    list.replaceChildren(...[...days].flatMap(([name, entries]) => [make('h3', {}, name), make('ul', { 'aria-label': name }, ...entries.map((entry) => row(entry, time)))]))
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
