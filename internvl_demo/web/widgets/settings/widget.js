// How a person wants answers, and the page: a sheet behind a button in the head. Values are in lib/settings.js; what the
// host has fixed is not shown.
import { button, icon, make, set } from '../lib/dom.js'
import { on, page } from '../lib/page.js'
import { THEMES, choose, chooseNothing, chosenOption, hostOption, options, randomSeed, setTheme, theme } from '../lib/settings.js'
import { language, number, onLanguage, sentences, setLanguage, words } from '../lib/words.js'

const STEPS = { temperature: 0.1, top_p: 0.01, repetition_penalty: 0.05, max_new_tokens: 1 }
const LANGUAGES = { en: 'English', zh: '中文' }

export default function mount(element) {
  const opener = button({ id: 'open-settings', 'aria-haspopup': 'dialog' }, () => dialog.showModal(), icon('gear'))
  const title = make('h2', { id: 'settings-title' })
  const close = button({ class: 'close' }, () => dialog.close(), '×')
  const note = make('p', { class: 'note' })
  const rows = [thinkingRow(), ...Object.keys(STEPS).map(numberRow), seedRow(), systemRow()]
  const looks = [choiceRow('theme', THEMES, theme, setTheme), choiceRow('language', Object.keys(LANGUAGES), language, setLanguage)]
  const reset = button({ class: 'reset' }, () => { chooseNothing(); draw(true) })
  const dialog = make('dialog', { id: 'settings', 'aria-labelledby': 'settings-title' },
    make('header', {}, title, close), make('div', { class: 'rows' }, ...rows.map(({ node }) => node), note, reset, ...looks.map(({ node }) => node)))
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close() }) // beside it
  dialog.addEventListener('keydown', (event) => event.stopPropagation()) // the page's own keys rest meanwhile
  element.querySelector('.widget').replaceChildren(opener, dialog)

  function draw(anew = false) {
    title.textContent = words('settings')
    set(opener, { 'aria-label': words(Object.keys(options()).length ? 'settings_changed' : 'settings'), title: words('settings') })
    opener.classList.toggle('changed', Object.keys(options()).length > 0)
    set(close, { 'aria-label': words('close') })
    reset.textContent = words('settings_reset')
    note.textContent = page.model?.miniature ? words('settings_miniature') : ''
    for (const row of [...rows, ...looks]) row.draw(anew)
    note.hidden = !note.textContent || rows.every(({ node }) => node.hidden)
    reset.hidden = rows.every(({ node }) => node.hidden)
  }

  on('model', () => draw())
  on('settings', () => draw())
  onLanguage(() => draw())
}

// What every option has: its name, a line of help, and that it is hidden where the host has fixed it.
function makeRow(name, ...fields) {
  const label = make('label', { for: `settings-${name}` })
  const help = make('p', { id: `settings-${name}-help` })
  const node = make('div', { class: `row ${name}` }, label, ...fields, help)
  function drawHead() {
    const host = hostOption(name)
    node.hidden = !host || host.fixed
    label.textContent = words(`settings_${name}`)
    help.textContent = words(`settings_${name}_help`)
    return node.hidden ? null : host
  }
  return { node, help, drawHead }
}

// A value that is being typed is left alone.
function show(field, value, anew) {
  if (anew || field !== document.activeElement) field.value = value
}

function numberRow(name) {
  const range = make('input', { type: 'range', step: STEPS[name] })
  const field = make('input', { type: 'number', id: `settings-${name}`, step: 'any', inputmode: 'decimal', 'aria-describedby': `settings-${name}-help` })
  const row = makeRow(name, field, range)
  range.addEventListener('input', () => choose(name, range.valueAsNumber))
  field.addEventListener('input', () => { if (field.checkValidity()) choose(name, field.value ? field.valueAsNumber : null) })
  field.addEventListener('change', () => { choose(name, field.value ? field.valueAsNumber : null); draw(true) })

  function draw(anew) {
    const host = row.drawHead()
    if (!host) return
    const bounds = { min: host.least, max: host.most }
    set(field, bounds)
    set(range, { ...bounds, 'aria-label': words(`settings_${name}`) })
    const value = chosenOption(name) ?? host.default
    show(field, value, anew)
    range.value = value
  }
  return { node: row.node, draw }
}

function seedRow() {
  const fixed = button({ class: 'switch', role: 'switch' }, () => choose('seed', chosenOption('seed') === null ? randomSeed() : null))
  const field = make('input', { type: 'number', id: 'settings-seed', step: 1, inputmode: 'numeric', 'aria-describedby': 'settings-seed-help' })
  const row = makeRow('seed', fixed, field)
  field.addEventListener('change', () => { choose('seed', field.value ? field.valueAsNumber : null); draw(true) })

  function draw(anew) {
    const host = row.drawHead()
    if (!host) return
    const value = chosenOption('seed')
    set(fixed, { 'aria-checked': String(value !== null), 'aria-label': words('settings_seed_switch') })
    fixed.textContent = words(value === null ? 'settings_seed_random' : 'settings_seed_fixed')
    set(field, { min: host.least, max: host.most })
    field.hidden = value === null
    show(field, value ?? '', anew)
  }
  return { node: row.node, draw }
}

function thinkingRow() {
  const turn = button({ class: 'switch', role: 'switch', id: 'settings-thinking', 'aria-describedby': 'settings-thinking-help' },
    () => choose('thinking', chosenOption('thinking') ? null : true))
  const row = makeRow('thinking', turn)

  function draw() {
    if (!row.drawHead()) return
    const thinks = Boolean(chosenOption('thinking'))
    set(turn, { 'aria-checked': String(thinks) })
    turn.textContent = words(thinks ? 'settings_thinking_on' : 'settings_thinking_off')
  }
  return { node: row.node, draw }
}

function systemRow() {
  const area = make('textarea', { id: 'settings-system', rows: 4, dir: 'auto', 'aria-describedby': 'settings-system-help' })
  const row = makeRow('system', area)
  area.addEventListener('input', () => choose('system', area.value || null))

  function draw(anew) {
    const host = row.drawHead()
    if (!host) return
    set(area, { maxlength: host.most_chars, placeholder: host.default })
    show(area, chosenOption('system') ?? '', anew)
    row.help.textContent = sentences(words('settings_system_help'), words('settings_system_count', { count: number(area.value.length), most: number(host.most_chars) }))
  }
  return { node: row.node, draw }
}

// One of a few, as radio buttons.
function choiceRow(name, values, now, change) {
  const legend = make('legend')
  const radios = values.map((value) => {
    const radio = make('input', { type: 'radio', name: `settings-${name}`, value })
    radio.addEventListener('change', () => change(value))
    return { radio, text: make('span') }
  })
  const node = make('fieldset', { class: `row ${name}` }, legend, ...radios.map(({ radio, text }) => make('label', {}, radio, text)))

  function draw() {
    legend.textContent = words(`settings_${name}`)
    for (const { radio, text } of radios) {
      radio.checked = radio.value === now()
      text.textContent = LANGUAGES[radio.value] ?? words(`settings_${name}_${radio.value}`)
    }
  }
  return { node, draw }
}
