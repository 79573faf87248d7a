// The prompt that an answer came from, and the call that asks it again: a dialog with three tabs. It opens at the
// page's event `inspect`, which a button under each answer raises. All text is set as text.
//
// Its value comes from GET api/conversations/ID/answers/ID/prompt; its shape is told in view.py.
import { call } from '../lib/api.js'
import { button, make } from '../lib/dom.js'
import { on, page, tell } from '../lib/page.js'
import { words } from '../lib/words.js'

const CONTROL = /(<\|im_(?:start|end)\|>|<s>|<\/?img>)/ // what the template wrote; what people write like it is harmless
const COPIED_MS = 2000

export default function mount(element) {
  let answer = null // the id of the one that is inspected, or about to be
  let tab = 0

  const title = make('h2', { id: 'inspector-title' })
  const close = button({ class: 'close' }, () => dialog.close(), '×')
  const tabs = [0, 1, 2].map((index) => button({ role: 'tab', id: `inspector-tab-${index}`, 'aria-controls': `inspector-panel-${index}` }, () => choose(index)))
  const tablist = make('div', { role: 'tablist', 'aria-labelledby': title.id }, ...tabs)
  const panels = tabs.map((one, index) => make('div', { role: 'tabpanel', id: `inspector-panel-${index}`, 'aria-labelledby': one.id, tabindex: '0' }))
  const status = make('div', { role: 'status', class: 'unseen' })
  const dialog = make('dialog', { 'aria-labelledby': title.id }, make('header', {}, title, close), tablist, ...panels, status)
  element.querySelector('.widget').replaceChildren(dialog)

  function choose(index, focus = false) {
    tab = index
    tabs.forEach((node, place) => {
      node.setAttribute('aria-selected', String(place === index))
      node.tabIndex = place === index ? 0 : -1
      panels[place].hidden = place !== index
    })
    if (focus) tabs[index].focus()
  }

  tablist.addEventListener('keydown', (event) => {
    const to = { ArrowRight: tab + 1, ArrowLeft: tab + 2, Home: 0, End: 2 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    choose(to % 3, true)
  })
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close() // beside it, on the backdrop
  })
  dialog.addEventListener('close', () => {
    const node = [...document.querySelectorAll('#conversation [data-answer]')].find((one) => one.dataset.answer === answer)
    node?.querySelector('.receipt .about')?.focus()
    answer = null
  })

  async function open(id) {
    if (dialog.open || !page.conversation) return
    answer = id
    const path = `api/conversations/${encodeURIComponent(page.conversation.id)}/answers/${encodeURIComponent(id)}/prompt`
    try {
      const value = await call('GET', path)
      if (answer === id && !dialog.open) draw(value)
    } catch (problem) {
      tell(problem)
    }
  }

  function draw(value) {
    title.textContent = words('inspector_title', { turn: value.turn })
    close.setAttribute('aria-label', words('close'))
    tabs[0].textContent = words('inspector_prompt')
    panels[0].replaceChildren(...prompt(value))
    value.scripts.forEach((script, index) => {
      tabs[index + 1].textContent = script.name
      panels[index + 1].replaceChildren(...scriptNodes(script, value.files))
    })
    choose(0)
    dialog.showModal()
    for (const panel of panels) panel.scrollTop = 0
    tabs[0].focus()
  }

  function prompt({ segments, files, total, note }) {
    const whole = () => segments.map((one) => (one.kind === 'image' ? one.text.repeat(one.count ?? 1) : one.text)).join('')
    const top = make('div', { class: 'top' }, make('p', {}, make('strong', {}, total), ` ${note}`), copyButton(whole))
    return [top, bar(segments), make('ol', {}, ...segments.map((segment) => segmentOf(segment, files)))]
  }

  function segmentOf(segment, files) {
    const image = segment.kind === 'image'
    const name = image ? segment.caption : words(`inspector_${segment.kind}`)
    const head = make('div', { class: 'what' }, make('b', {}, name), make('span', { class: 'tokens' }, segment.tokens))
    if (!image) return make('li', { class: segment.kind }, head, make('pre', {}, ...prose(segment.text)))
    const picture = make('img', { src: files[segment.file].url, alt: segment.name || segment.caption, loading: 'lazy' })
    const facts = make('div', {}, make('code', {}, segment.count === null ? segment.text : `${segment.text} × ${segment.count.toLocaleString('en')}`), make('span', {}, segment.cut))
    return make('li', { class: 'image' }, head, make('div', { class: 'picture' }, picture, facts))
  }

  function scriptNodes(script, files) {
    const address = (location.origin + location.pathname).replace(/\/+$/, '')
    const needs = make('p', {}, words(`inspector_${script.needs}`, { page: address }))
    if (!script.text) return [make('div', { class: 'top' }, needs)]
    const saved = files.length ? make('p', { class: 'files' }, words('inspector_files'), ...files.flatMap((file) => [' ', link(file)])) : ''
    return [make('div', { class: 'top' }, make('div', {}, needs, saved), copyButton(() => script.text)), make('pre', { class: 'script' }, script.text)]
  }

  function copyButton(text) {
    const node = button({ class: 'copy' }, async () => {
      const key = await copy(text(), dialog).then(() => 'copied', () => 'inspector_not_copied')
      node.focus()
      node.textContent = status.textContent = words(key)
      setTimeout(() => { node.textContent = words('inspector_copy'); status.textContent = '' }, COPIED_MS)
    }, words('inspector_copy'))
    return node
  }

  choose(0)
  on('inspect', ({ answer: id }) => open(id))
}

async function copy(text, dialog) {
  try {
    await navigator.clipboard.writeText(text)
  } catch { // no clipboard without HTTPS: by a selection, inside of the dialog, as nothing else can have the focus
    const field = make('textarea', { class: 'unseen', 'aria-hidden': 'true', tabindex: '-1' })
    field.value = text
    dialog.append(field)
    field.select()
    const done = document.execCommand('copy')
    field.remove()
    if (!done) throw new Error('not copied')
  }
}

function prose(text) {
  return text.split(CONTROL).filter(Boolean).map((part) => (CONTROL.test(part) ? make('span', { class: 'control' }, part) : part))
}

function bar(segments) {
  const whole = make('div', { class: 'bar', 'aria-hidden': 'true' })
  for (const { kind, count } of segments) {
    const part = make('i', { class: kind })
    part.style.flexGrow = Math.max(1, Number(count) || 0)
    whole.append(part)
  }
  return whole
}

// Fetched first: the server's name for a file would win over the one in `download`.
function link(file) {
  const node = make('a', { href: file.url, download: file.name }, file.name)
  node.addEventListener('click', async (event) => {
    if (node.href.startsWith('blob:')) return
    event.preventDefault()
    node.href = URL.createObjectURL(await (await fetch(file.url)).blob())
    node.click()
  })
  return node
}
