// What the page holds, and who is told when it changes. Commands are in page.js, which exports all of this, too.
export const page = {
  conversation: null, // CONVERSATION (docs/http.md), or null: a new one
  shown: null, // the id of the answer whose boxes the viewer shows
  lit: null, // { answer, boxes: [index] } under the mouse or the focus
  region: null, // { image, box_1000 } selected in the viewer
  draft: { text: '', chips: [], regions: [] }, // a chip: { photo: PHOTO, max_tiles: 1..40 | null (as all) }; a region: { photo: ID, box_1000 }
  mode: 'standard', // for chips without their own: 'low' | 'standard' | 'high' | 1..40
  maxAnswerTokens: null, // what a change offered by the context bar leaves for the next answer
  uploads: 0, // pictures that are on their way to the server
  fetching: '', // the host from which a picture is being fetched
  sending: false, // a question is on its way to the server
  trouble: null, // a Problem (api.js): what was wrong with a picture, until the next Send
  budget: null, // the context bar's value
  entries: [], // [{ id, title, created_at, updated_at }], as the server orders them
  notice: null, // a Problem
  model: null, // GET api/model
}

const listeners = new Map()

// Calls `listener(detail)` at every event of that name; returns a function that ends it.
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set())
  listeners.get(name).add(listener)
  return () => listeners.get(name).delete(listener)
}

export function emit(name, detail) {
  for (const listener of [...listeners.get(name) ?? []]) {
    try {
      listener(detail)
    } catch (error) { // one widget's mistake is not the others'
      console.error(error)
    }
  }
}

// Shows a problem above the composer; null takes it away.
export function tell(problem) {
  page.notice = problem
  emit('notice', page.notice)
}

// What this tab keeps over a reload.
export function keep(name, value) {
  try {
    if (value === null || value === '') sessionStorage.removeItem(`internvl-${name}`)
    else sessionStorage.setItem(`internvl-${name}`, value)
  } catch { /* forbidden or full */ }
}

export function kept(name) {
  try {
    return sessionStorage.getItem(`internvl-${name}`) ?? ''
  } catch { // forbidden
    return ''
  }
}
