// `@` in the question: a list of the images that it can name. The focus stays in the text all the time; the
// list is the text's while it is open, and nothing of it is left when it is closed. A text of several lines may not be a
// combobox; what it may name of a list is enough for a screen reader.
import { isComposing, make, pictured, set } from '../lib/dom.js'
import { words } from '../lib/words.js'

const OPENING = /(^|[^A-Za-z0-9_.+-])@([^\s@]{0,30})$/ // not inside an address such as a@b.org
const GAP_PX = 6

// images(): [{ caption, name, url }]
export function makeMention(images, signal) {
  const list = make('ul', { class: 'mention', id: 'mention-list', role: 'listbox', 'aria-label': words('tray_mention'), hidden: true })
  let area = null // the textarea while the list is open
  let start = -1 // where its @ stands
  let left = -1 // the @ whose list was left with Escape
  let shown = []
  let active = 0

  const textOf = (event) => event.target.closest?.('#composer textarea')

  function fits(image, query) {
    const [caption, name] = [image.caption.toLowerCase(), image.name.toLowerCase()]
    return caption.startsWith(query) || caption.split('-')[1].startsWith(query) || name.includes(query)
  }

  function look(text) {
    const found = OPENING.exec(text.value.slice(0, text.selectionStart))
    if (!found || text.selectionStart !== text.selectionEnd) {
      left = -1
      return close()
    }
    start = found.index + found[1].length
    const query = found[2].toLowerCase()
    const before = shown[active]?.caption
    shown = start === left ? [] : images().filter((image) => fits(image, query))
    if (!shown.length) return close()
    active = Math.max(0, shown.findIndex((image) => image.caption === before))
    open(text)
  }

  function open(text) {
    area = text
    list.replaceChildren(...shown.map((image, index) => make('li', { id: `mention-${index}`, role: 'option' },
      pictured(make('span', { class: 'small' }), image.url), make('b', {}, image.caption), make('span', { class: 'name' }, image.name))))
    list.hidden = false
    set(area, {
      'aria-haspopup': 'listbox', 'aria-autocomplete': 'list', 'aria-controls': list.id,
    })
    choose(active)
    place()
  }

  function close() {
    if (!area) return
    set(area, {
      'aria-haspopup': null, 'aria-autocomplete': null, 'aria-controls': null, 'aria-activedescendant': null,
    })
    ;[area, shown, active] = [null, [], 0]
    list.hidden = true
    list.replaceChildren()
  }

  function choose(index) {
    active = (index + shown.length) % shown.length
    ;[...list.children].forEach((option, place) => option.setAttribute('aria-selected', String(place === active)))
    area.setAttribute('aria-activedescendant', `mention-${active}`)
    list.children[active].scrollIntoView({ block: 'nearest' })
  }

  // Over the composer, where there is room; the caret itself is never covered.
  function place() {
    const around = (area.closest('#composer') ?? area).getBoundingClientRect()
    const height = list.offsetHeight + GAP_PX
    const above = around.top >= height || around.top > innerHeight - around.bottom
    list.style.left = `${around.left}px`
    list.style.maxWidth = `${around.width}px`
    list.style.top = `${above ? Math.max(0, around.top - height) : around.bottom + GAP_PX}px`
  }

  function insert(image) {
    const text = area
    const [from, to] = [start, text.selectionStart]
    close()
    text.focus()
    text.setRangeText(image.caption + (/^\w/.test(text.value.slice(to)) ? ' ' : ''), from, to, 'end')
    text.dispatchEvent(new Event('input', { bubbles: true }))
  }

  function press(event) {
    if (!area || isComposing(event) || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === 'ArrowDown') choose(active + 1)
    else if (event.key === 'ArrowUp') choose(active - 1)
    else if (event.key === 'Enter' && !event.shiftKey) insert(shown[active])
    else if (event.key === 'Escape') [left] = [start, close()]
    else if (event.key === 'Tab') return close()
    else return
    event.preventDefault() // Enter sends only while the list is closed
    event.stopPropagation()
  }

  const listen = (name, act, how) => document.addEventListener(name, act, { capture: Boolean(how), signal })
  listen('input', (event) => { if (textOf(event) && !event.isComposing) look(textOf(event)) })
  listen('compositionend', (event) => { if (textOf(event)) look(textOf(event)) })
  listen('keydown', (event) => { if (textOf(event)) press(event) }, true)
  listen('keyup', (event) => { if (textOf(event) && /^(Arrow(Left|Right)|Home|End)$/.test(event.key)) look(textOf(event)) })
  listen('click', (event) => { if (textOf(event)) look(textOf(event)) })
  listen('focusout', (event) => { if (textOf(event)) close() })
  window.addEventListener('resize', () => { if (area) place() }, { signal })
  listen('scroll', (event) => { if (area && event.target !== list) place() }, true)
  list.addEventListener('pointerdown', (event) => event.preventDefault()) // the text keeps the focus
  list.addEventListener('click', (event) => {
    const option = event.target.closest('[role=option]')
    if (option && area) insert(shown[[...list.children].indexOf(option)])
  })

  return { list, refresh: () => { if (area) look(area) } }
}
