// The HTTP interface of our server. Addresses are relative to the page, so that it works behind any prefix.
//
//     await call('GET', 'api/conversations')
//     await upload(file)                                              // PHOTO
//     await follow(id, { onEvent: ({ name, data, id }) => ..., signal })   // until nothing more comes
//
// Every request carries the secret by which the server knows this browser. The browser makes it; it stays in the
// browser's storage, or where that is forbidden as long as the page.
import { language, words } from './words.js'

const OWNER = 'internvl-owner'
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 5000
const SILENCE_MS = 40_000 // the server sends a comment every 15 s
const secret = readSecret()

// What went wrong and what to do now. `say()` gives { what, next_step } in the page's language, whichever that is by
// then, and perhaps `details` for whoever runs the page; `status` is the HTTP status of a refusal. `stays`: whether it
// is still worth telling once the model answers again.
export class Problem extends Error {
  constructor(say, status = 0) {
    super(say().what)
    this.say = say
    this.status = status
    this.stays = false
  }

  get what() { return this.say().what }
  get next_step() { return this.say().next_step }
  get details() { return this.say().details ?? '' }
}

// One of the page's own, by the key with which its two texts begin.
export function problemOf(key, values) {
  return new Problem(() => ({ what: words(`${key}_what`, values), next_step: words(`${key}_next`) }))
}

function readSecret() {
  const made = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  try {
    const kept = localStorage.getItem(OWNER)
    const owner = /^[0-9a-f]{32}$/.test(kept) ? kept : made()
    localStorage.setItem(OWNER, owner)
    return owner
  } catch { // forbidden
    return made()
  }
}

async function request(method, path, { body, headers = {}, signal } = {}) {
  let response
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method, body, signal,
      headers: { Authorization: `Bearer ${secret}`, 'Accept-Language': language(), Prefer: 'languages', ...headers },
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw problemOf('offline')
  }
  if (!response.ok) throw await refusal(response)
  return response
}

async function refusal(response) {
  const told = await response.json().catch(() => null)
  const unsaid = problemOf('failed', { status: response.status })
  return new Problem(() => {
    const { what, next_step, details } = told?.also?.[language()] ?? told ?? {}
    return { what: what ?? unsaid.what, next_step: next_step ?? unsaid.next_step, details }
  }, response.status)
}

// A request and its JSON answer; null where the answer is empty.
export async function call(method, path, body, signal) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
  const response = await request(method, path, { ...sent, signal })
  if (response.status === 204) return null
  try {
    return await response.json()
  } catch {
    throw problemOf('offline')
  }
}

// One picture -> PHOTO.
export async function upload(file, signal) {
  const body = new FormData()
  body.append('file', file, file.name)
  return (await request('POST', 'api/photos', { body, signal })).json()
}

// Whether the server still has a photo that is this person's; only a clear no is a no.
export async function exists(photo) {
  try {
    await request('HEAD', photo.url)
    return true
  } catch (problem) {
    return problem.status !== 404 && problem.status !== 410
  }
}

// The events of a conversation, in order, until `signal` says stop. A stream that ends is taken up again where it
// ended; one that breaks may have lost a part, so it begins anew with the whole conversation. `onLost(true)` tells that
// the connection is lost for longer than a moment, `onLost(false)` that it is back.
// Throws Problem when the server refuses (404: there is no such conversation).
export async function follow(conversation, { after = null, onEvent, onLost = () => {}, signal }) {
  let last = after
  let wait = FIRST_WAIT_MS
  while (!signal.aborted) {
    try {
      await once(conversation, last, signal, ({ name, data, id }) => {
        wait = FIRST_WAIT_MS
        onLost(false)
        last = id ?? last
        if (name) onEvent({ name, data, id })
      })
    } catch (problem) {
      if (signal.aborted) return
      if (problem instanceof Problem && problem.status >= 400 && problem.status < 500 && problem.status !== 429) throw problem
      if (wait > FIRST_WAIT_MS) onLost(true)
      last = null
    }
    await pause(wait, signal)
    wait = Math.min(2 * wait, LONGEST_WAIT_MS)
  }
}

async function once(conversation, after, signal, onEvent) {
  const query = after === null ? '' : `&after=${encodeURIComponent(after)}`
  const ending = new AbortController()
  const abort = () => ending.abort()
  signal.addEventListener('abort', abort)
  let silence = setTimeout(abort, SILENCE_MS)
  try {
    const path = `api/conversations/${encodeURIComponent(conversation)}/events?blocks=1${query}`
    const response = await request('GET', path, { headers: { Accept: 'text/event-stream' }, signal: ending.signal })
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    const take = eventReader(onEvent)
    for (let part = await reader.read(); !part.done && !signal.aborted; part = await reader.read()) {
      clearTimeout(silence)
      silence = setTimeout(abort, SILENCE_MS)
      take(part.value)
    }
  } finally {
    clearTimeout(silence)
    signal.removeEventListener('abort', abort)
    ending.abort()
  }
}

// Text of an event stream in any pieces -> its events; a comment is an event without a name.
export function eventReader(onEvent) {
  let rest = ''
  return (text) => {
    const whole = rest + text
    const end = whole.endsWith('\r') ? whole.length - 1 : whole.length // its \n may still come
    const blocks = whole.slice(0, end).replace(/\r\n?/g, '\n').split('\n\n')
    rest = blocks.pop() + whole.slice(end)
    for (const block of blocks) onEvent(eventOf(block))
  }
}

function eventOf(block) {
  const found = { name: '', data: [], id: null }
  for (const line of block.split('\n')) {
    const [, field, value] = /^(\w*): ?(.*)$/s.exec(line) ?? []
    if (field === 'event') found.name = value
    else if (field === 'data') found.data.push(value)
    else if (field === 'id') found.id = value
  }
  return { ...found, data: found.data.length ? JSON.parse(found.data.join('\n')) : {} }
}

function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', () => { clearTimeout(timer); done() }, { once: true })
  })
}
