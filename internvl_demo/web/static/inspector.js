// The prompt that an answer came from, and the call that asks it again: a button under each answer, and a dialog
// with three tabs. An answer is known by the class `turn-n` of its receipt. All text is set as text.
const box = element.querySelector('.widget')
const CONTROL = /(<\|im_(?:start|end)\|>|<s>|<\/?img>)/ // what the template wrote; people's are harmless and look so
const COPIED_MS = 2000
let shown = 0 // the turn in the dialog; 0: none
let tab = 0
let words = {}

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
  node.append(...children)
  return node
}

function button(attributes, act, ...children) {
  const node = make('button', { type: 'button', ...attributes }, ...children)
  node.addEventListener('click', act)
  return node
}

// 'Prompt of answer {turn}', { turn: 2 } -> 'Prompt of answer 2'
const fill = (template, values) => String(template).replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''))

// --- the dialog, made once ---

const title = make('h2', { id: 'inspector-title' })
const close = button({ class: 'close' }, () => dialog.close(), '×')
const tablist = make('div', { role: 'tablist', 'aria-labelledby': 'inspector-title' })
const status = make('div', { role: 'status', class: 'unseen' })
const dialog = make('dialog', { 'aria-labelledby': 'inspector-title' })
const tabs = [0, 1, 2].map((index) => button({ role: 'tab', id: `inspector-tab-${index}`, 'aria-controls': `inspector-panel-${index}` }, () => choose(index)))
const panels = tabs.map((_, index) => make('div', { role: 'tabpanel', id: `inspector-panel-${index}`, 'aria-labelledby': `inspector-tab-${index}`, tabindex: '0' }))
tablist.append(...tabs)
dialog.append(make('header', {}, title, close), tablist, ...panels, status)
box.append(dialog)

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
  const from = shown
  shown = 0
  props.value = { turn: 0, open: props.value.open } // or the same value would be no change the next time
  document.querySelector(`#conversation .receipt.turn-${from} button.inspect`)?.focus()
})

// --- copying ---

async function write(text) {
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

function copier(text) {
  const node = button({ class: 'copy' }, async () => {
    const said = await write(text()).then(() => words.copied, () => words.not_copied)
    node.focus()
    node.textContent = status.textContent = said
    setTimeout(() => { node.textContent = words.copy; status.textContent = '' }, COPIED_MS)
  }, words.copy)
  return node
}

// --- what is in it ---

function prose(text) {
  return text.split(CONTROL).filter(Boolean).map((part) => CONTROL.test(part) ? make('span', { class: 'control' }, part) : part)
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

function segmentOf(segment, files) {
  const image = segment.kind === 'image'
  const head = make('div', { class: 'what' }, make('b', {}, image ? segment.caption : words[segment.kind]), make('span', { class: 'tokens' }, segment.tokens))
  if (!image) return make('li', { class: segment.kind }, head, make('pre', {}, ...prose(segment.text)))
  const file = files[segment.file]
  const picture = make('img', { src: file.url, alt: segment.name || segment.caption, loading: 'lazy' })
  const facts = make('div', {}, make('code', {}, `${segment.text} × ${segment.count.toLocaleString('en')}`), make('span', {}, segment.cut))
  return make('li', { class: 'image' }, head, make('div', { class: 'picture' }, picture, facts))
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

function fillPrompt({ segments, files, total, note }) {
  const whole = () => segments.map((one) => one.kind === 'image' ? one.text.repeat(one.count) : one.text).join('')
  const top = make('div', { class: 'top' }, make('p', {}, make('strong', {}, total), ` ${note}`), copier(whole))
  panels[0].replaceChildren(top, bar(segments), make('ol', {}, ...segments.map((segment) => segmentOf(segment, files))))
}

function fillScript(panel, script, files) {
  const page = (location.origin + location.pathname).replace(/\/+$/, '')
  const needs = make('p', {}, fill(words[script.needs], { page }))
  if (!script.text) return void panel.replaceChildren(make('div', { class: 'top' }, needs))
  const saved = files.length ? make('p', { class: 'files' }, words.files, ...files.flatMap((file) => [' ', link(file)])) : ''
  panel.replaceChildren(make('div', { class: 'top' }, make('div', {}, needs, saved), copier(() => script.text)), make('pre', { class: 'script' }, script.text))
}

function draw() {
  const value = props.value ?? {}
  label()
  if (!value.turn) return void dialog.close()
  words = value.words
  title.textContent = fill(words.title, { turn: value.turn })
  close.setAttribute('aria-label', words.close)
  tabs[0].textContent = words.prompt
  value.scripts.forEach((script, index) => {
    tabs[index + 1].textContent = script.name
    fillScript(panels[index + 1], script, value.files)
  })
  fillPrompt(value)
  if (shown !== value.turn) choose(0)
  shown = value.turn
  for (const panel of panels) panel.scrollTop = 0
  if (!dialog.open) dialog.showModal()
  tabs[tab].focus()
}

// --- a button under each answer ---

let conversation = null // Gradio may mount it after this

function label() {
  if (!conversation) return
  const [english, chinese] = props.value?.open ?? ['', '']
  const text = (document.documentElement.dataset.language ?? navigator.language).toLowerCase().startsWith('zh') ? chinese : english
  for (const old of conversation.querySelectorAll('button.inspect')) if (old.textContent !== text) old.textContent = text
  for (const receipt of conversation.querySelectorAll('.receipt')) {
    const turn = Number(/\bturn-(\d+)\b/.exec(receipt.className)?.[1])
    if (!turn || receipt.querySelector('button.inspect')) continue
    receipt.append(button({ class: 'inspect' }, () => trigger('click', { turn }), text))
  }
}

const watcher = new MutationObserver(label)
watcher.observe(document.documentElement, { attributeFilter: ['data-language'] })

function find() {
  conversation = document.getElementById('conversation')
  if (!conversation) return requestAnimationFrame(find)
  watcher.observe(conversation, { childList: true, subtree: true })
  label()
}

find()
watch('value', draw)
choose(0)
draw()
