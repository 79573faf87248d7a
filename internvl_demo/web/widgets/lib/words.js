// Every text of the page, by key, in the language that the person chose, or else the browser's.
//
//     words('tiles', { count: 6 })            // '6 tiles'
//     onLanguage(() => { send.textContent = words('send') })   // called at once and after every change
//
// Both tables are loaded before any module that imports this one runs, so `words` never waits.
import { fill } from './dom.js'

const KEY = 'internvl-language'
const listeners = new Set()
const load = (name) => fetch(new URL(`../../locale/${name}.json`, import.meta.url)).then((response) => response.json())
const [en, zh] = await Promise.all([load('en'), load('zh')])
const tables = { en, zh }
let current = read() || (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en')
mark()

function read() {
  try {
    const kept = localStorage.getItem(KEY)
    return kept in tables ? kept : ''
  } catch { // forbidden
    return ''
  }
}

function mark() {
  document.documentElement.lang = current
  document.documentElement.dataset.language = current
}

export function language() {
  return current
}

export function words(key, values = {}) {
  return fill(tables[current][key] ?? tables.en[key] ?? key, values)
}

// Of two texts that Python sent, the person's: { en, zh }.
export function either(texts) {
  return texts[current] ?? texts.en
}

// What stands between a sentence and the next: no space behind a Chinese mark.
export function between(sentence) {
  return /[\u3000-\u303f\uff00-\uffef]$/.test(sentence) ? '' : ' '
}

export function sentences(...parts) {
  return parts.filter(Boolean).reduce((all, one) => (all ? `${all}${between(all)}${one}` : one), '')
}

export function number(value) {
  return Math.round(value).toLocaleString('en-US')
}

export function setLanguage(name) {
  if (!(name in tables) || name === current) return
  current = name
  mark()
  try {
    localStorage.setItem(KEY, name)
  } catch { /* forbidden */ }
  for (const listener of [...listeners]) listener(name)
}

// Calls `listener` now and whenever the language changes; returns a function that ends it.
export function onLanguage(listener, now = true) {
  listeners.add(listener)
  if (now) listener(current)
  return () => listeners.delete(listener)
}
