// How a person wants answers: kept in this browser, read back defensively, sent with every question.
//
//     choose('temperature', 0.7)      // null: as the host set it
//     options()                       // { temperature: 0.7 }: what is chosen, within the host's limits
//     again(answer)                   // what Retry sends for another answer; undefined: as it was asked
//
// The host's values and limits are in GET api/model; what it has fixed is never sent.
import { clamp } from './dom.js'
import { emit, page } from './state.js'
import { language, number, words } from './words.js'

const KEY = 'internvl-options'
const THEME = 'internvl-theme' // read by theme.js, too, before anything is drawn
const WHOLE = ['max_new_tokens', 'seed']
const NAMES = ['temperature', 'top_p', 'repetition_penalty', 'max_new_tokens', 'seed', 'system', 'thinking']
const TYPES = { system: 'string', thinking: 'boolean' } // of a value; of all others a number
const VARIED_TEMPERATURE = 0.7 // of another answer, where the last was greedy
const SHORT_SEEDS = 100_000 // easy to read and to type
export const THEMES = ['system', 'light', 'dark']
let chosen = readChosen()

export function read(key) {
  try {
    return localStorage.getItem(key)
  } catch { // forbidden
    return null
  }
}

export function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch { /* forbidden or full */ }
}

function readChosen() {
  try {
    const kept = JSON.parse(read(KEY)) ?? {}
    const fits = (name) => (name in TYPES ? typeof kept[name] === TYPES[name] : Number.isFinite(kept[name]))
    return Object.fromEntries(NAMES.filter(fits).map((name) => [name, kept[name]]))
  } catch { // of another version of the page, or by hand
    return {}
  }
}

// What the host says of an option: { default, least, most, fixed }; null while that is not known, and where the model
// has no such option. Who has it think gets the temperature for that.
export function hostOption(name) {
  const host = page.model?.options?.[name] ?? null
  return name === 'temperature' && host && chosenOption('thinking') ? { ...host, default: hostOption('thinking').temperature } : host
}

// What is chosen of an option as it would be sent; null: as the host set it.
export function chosenOption(name) {
  const value = chosen[name] ?? null
  const host = hostOption(name)
  if (value === null || host?.fixed) return null
  if (name === 'thinking') return value && host ? value : null
  if (name === 'system') return value.trim() ? [...value].slice(0, host?.most_chars).join('') : null
  if (!host) return value
  const inside = clamp(WHOLE.includes(name) ? Math.round(value) : value, host.least, host.most)
  return inside === host.default ? null : inside
}

export function choose(name, value) {
  const { [name]: _, ...others } = chosen
  chosen = value === null || value === hostOption(name)?.default ? others : { ...others, [name]: value }
  write(KEY, Object.keys(chosen).length ? JSON.stringify(chosen) : null)
  emit('settings', name)
}

export function chooseNothing() {
  chosen = {}
  write(KEY, null)
  emit('settings', null)
}

export function options() {
  const given = NAMES.map((name) => [name, chosenOption(name)])
  return Object.fromEntries(given.filter(([, value]) => value !== null))
}

export function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0] % SHORT_SEEDS
}

// A whole answer is asked for again with another seed, at a temperature; one that broke off or was stopped as it was.
export function again(answer) {
  if (answer?.state !== 'complete') return undefined
  const varied = options()
  const temperature = hostOption('temperature')
  if (!(varied.temperature ?? temperature?.default) && !temperature?.fixed) varied.temperature = VARIED_TEMPERATURE
  if (!hostOption('seed')?.fixed) varied.seed = randomSeed()
  return { options: varied }
}

// { temperature: 0.7, seed: 1234 } -> 'temperature 0.7, seed 1234'
export function optionsText(asked) {
  const known = NAMES.filter((name) => asked?.[name] !== undefined)
  const shown = (name) => (name === 'max_new_tokens' ? number(asked[name]) : asked[name])
  return known.map((name) => words(`option_${name}`, { value: shown(name) })).join(language() === 'zh' ? '、' : ', ')
}

export function theme() {
  const kept = read(THEME)
  return THEMES.includes(kept) ? kept : 'system'
}

export function setTheme(name) {
  write(THEME, name === 'system' ? null : name)
  window.dispatchEvent(new CustomEvent(THEME, { detail: name }))
}
