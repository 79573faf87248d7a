// How fast this page's model reads, learned from the receipts of answers: seconds until the first word for each token of
// the question. Kept in the browser for each model.
import { page } from './state.js'

const KEY = 'internvl-pace'
const WEIGHT = 0.3 // of the newest answer
const LEAST_TOKENS = 200 // below that the time says little of reading

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY))
    return kept && typeof kept === 'object' ? kept : {}
  } catch { // nothing, or forbidden
    return {}
  }
}

export function learn({ ttft_s, usage } = {}) {
  const tokens = (usage?.prompt_tokens ?? 0) - (usage?.cached_tokens ?? 0)
  if (!(ttft_s > 0) || tokens < LEAST_TOKENS || !page.model) return
  const [all, name] = [read(), page.model.title]
  const before = Number.isFinite(all[name]) ? all[name] : ttft_s / tokens
  all[name] = (1 - WEIGHT) * before + (WEIGHT * ttft_s) / tokens
  try {
    localStorage.setItem(KEY, JSON.stringify(all))
  } catch { /* forbidden or full */ }
}

// Seconds until the first word for so many tokens more; null while nothing was measured.
export function secondsFor(tokens) {
  const pace = read()[page.model?.title]
  return Number.isFinite(pace) && tokens ? pace * tokens : null
}
