// What waits in the composer: the text, the pictures as chips, and what they would take of the model's context.
// It is kept for a reload of this tab, and the pictures are looked for again then.
import { Problem, call, exists, problemOf, upload } from './api.js'
import { imagesOf } from './conversation.js'
import { MOST_CHIPS, MOST_MB, added, applyAction, fixed, joined, joinedText, mayBePicture, readMode } from './draft.js'
import { modelField } from './model.js'
import { options as chosenOptions } from './settings.js'
import { emit, keep, kept, on, page } from './state.js'
import { splitRegions, withRegions } from './regions.js'
import { onLanguage } from './words.js'

const BUDGET_MS = 250
const NOTICEABLE = 0.05 // of the context: text alone below that is not asked about
const FETCH_MS = 40_000 // longer than the server tries
const pending = new Set() // uploads, which Send waits for
let modeChosen = false
let wanted = page.mode // which a model that reads fewer tiles does not give
const examples = { texts: [], photos: new Set(), turn: 0 }

export function restoreDraft() {
  page.draft = { text: kept('text'), chips: chipsOf(kept('draft')), regions: regionsOf(kept('regions')) }
  if (page.draft.text || page.draft.chips.length) emit('draft', page.draft)
  return lookForChips()
}

function chipsOf(json) {
  try {
    return JSON.parse(json).filter(({ photo }) => photo?.id && photo.grids?.length).slice(0, MOST_CHIPS)
  } catch { // nothing, or from another version of the page
    return []
  }
}

function regionsOf(json) {
  try {
    return JSON.parse(json).filter(({ photo, box_1000 }) => typeof photo === 'string' && box_1000.every(Number.isInteger))
  } catch { // nothing, or from another version of the page
    return []
  }
}

async function lookForChips() {
  const there = await Promise.all(page.draft.chips.map(({ photo }) => exists(photo)))
  const gone = page.draft.chips.filter((_, place) => !there[place]).map(({ photo }) => photo)
  if (!gone.length) return
  setChips(page.draft.chips.filter(({ photo }) => !gone.includes(photo)))
  const [key, values] = gone.length === 1 ? ['gone_one', { name: gone[0].name }] : ['gone_many', { count: gone.length }]
  warn(problemOf(key, values))
}

// Of the pictures; it stands with them, and holds up the next Send once.
export function warn(problem) {
  page.trouble = problem
  emit('draft', page.draft)
}

export function setText(text) {
  if (text === page.draft.text) return
  page.draft = { ...page.draft, text }
  keep('text', text)
  emit('draft', page.draft)
  askBudget()
}

export function setChips(chips) {
  if (chips.length > MOST_CHIPS) page.trouble = problemOf('too_many', { most: MOST_CHIPS })
  page.draft = { ...page.draft, chips: chips.slice(0, MOST_CHIPS) }
  keep('draft', page.draft.chips.length ? JSON.stringify(page.draft.chips) : null)
  emit('draft', page.draft)
  askBudget()
}

export function setRegions(regions) {
  page.draft = { ...page.draft, regions }
  keep('regions', regions.length ? JSON.stringify(regions) : null)
  emit('draft', page.draft)
  askBudget()
}

// A place that the question is about. It is kept by its photo: numbers change while pictures come, go and move.
export function addPlace({ image, box_1000 }) {
  const place = { photo: allImages()[image - 1].id, box_1000 }
  const same = JSON.stringify(place)
  setRegions([...page.draft.regions.filter((one) => JSON.stringify(one) !== same), place])
}

export function removePlace(index) {
  const gone = places()[index]
  setRegions(page.draft.regions.filter((region) => region !== gone.region))
}

// Those of its places whose image is there: [{ image, box_1000, region }].
export function places({ regions } = page.draft) {
  const images = allImages()
  return regions.flatMap((region) => {
    const image = images.findIndex(({ id }) => id === region.photo) + 1
    return image ? [{ image, box_1000: region.box_1000, region }] : []
  })
}

// Every image that a question may be about: those of the conversation, then those that wait, with their numbers.
export function allImages() {
  const sent = imagesOf(page.conversation)
  return [...sent, ...page.draft.chips.map(({ photo, max_tiles }, index) => ({ ...photo, number: sent.length + index + 1, mode: max_tiles ?? page.mode }))]
}

// The draft's words with its regions, as the model reads them.
export function wholeText() {
  return withRegions(page.draft.text.trim(), places(), allImages().length > 1)
}

export function focusComposer() {
  emit('focus')
}

// How many tiles for chips without their own: 'low' | 'standard' | 'high' | 1..40.
export function setMode(mode) {
  modeChosen = true
  wanted = mode
  setReadMode()
}

function setReadMode() {
  const mode = readMode(wanted, page.model?.most_tiles)
  if (mode === page.mode) return
  page.mode = mode
  emit('draft', page.draft)
  askBudget()
}

// { do: 'remove' | 'move' | 'mode', id, at, to, max_tiles }
export function changeChip(action) {
  const before = page.draft.chips
  const chips = applyAction(before, action)
  if (chips === before) return
  page.trouble = null
  setChips(chips)
  before.filter((chip) => !chips.some(({ photo }) => photo.id === chip.photo.id)).forEach(({ photo }) => giveUp(photo))
}

// The server need not keep a picture that waits no more; what a crop was made from is still needed.
function giveUp(photo) {
  if (page.draft.chips.some((chip) => chip.photo.origin?.photo === photo.id)) return
  call('DELETE', `api/photos/${encodeURIComponent(photo.id)}`).catch(() => {}) // it goes by itself after a day
}

// Files chosen, pasted, dropped or from the camera: one request each, in order, a chip as soon as one is there.
export async function addFiles(files) {
  page.trouble = null
  const room = Math.max(0, MOST_CHIPS - page.draft.chips.length - pending.size)
  const isLarge = ({ size }) => size > MOST_MB * 1024 * 1024
  const pictures = files.filter((file) => mayBePicture(file) && !isLarge(file))
  const other = files.find((file) => !pictures.includes(file))
  const taken = pictures.slice(0, room)
  if (pictures.length > room) warn(problemOf('too_many', { most: MOST_CHIPS }))
  else if (other && mayBePicture(other)) warn(problemOf('too_large', { name: other.name, limit: MOST_MB }))
  else if (other) warn(problemOf('not_picture', { name: other.name }))
  const sent = []
  await Promise.all(taken.map((file, place) => adding(upload(file), (photo) => {
    sent[place] = photo
    setChips(inOrder(added(page.draft.chips, [photo]), sent))
  })))
}

// Those of `photos` in their order, at the places where they are; an upload that is quicker does not overtake.
function inOrder(chips, photos) {
  const ids = photos.filter(Boolean).map(({ id }) => id)
  const mine = chips.filter(({ photo }) => ids.includes(photo.id)).sort((one, other) => ids.indexOf(one.photo.id) - ids.indexOf(other.photo.id))
  return chips.map((chip) => (ids.includes(chip.photo.id) ? mine.shift() : chip))
}

// A picture at a web address, fetched by the server.
export async function addAddress(url) {
  page.trouble = null
  let host = url
  try { host = new URL(url).host || url } catch { /* the server tells what is wrong with it */ }
  page.fetching = host
  emit('draft', page.draft)
  await adding(call('POST', 'api/photos/address', { url }, AbortSignal.timeout(FETCH_MS)), add, () => { page.fetching = '' })
}

// A crop or a marked copy of image number `image` of the conversation, or of a waiting photo.
export async function addRegion({ way, image, photo = null, box_1000 }) {
  const id = photo ?? allImages()[image - 1]?.id
  if (!id) return
  page.trouble = null
  await adding(call('POST', `api/photos/${encodeURIComponent(id)}/regions`, { way, box_1000 }), add)
}

function add(photo) {
  setChips([...page.draft.chips, { photo, max_tiles: null }])
}

// Waits for a photo that is on its way; what goes wrong stands with the pictures.
async function adding(coming, then, before = () => {}) {
  pending.add(coming)
  page.uploads = pending.size
  emit('draft', page.draft)
  let photo = null
  let problem = null
  try {
    photo = await coming
  } catch (error) {
    problem = error instanceof Problem ? error : problemOf('offline')
  }
  pending.delete(coming)
  page.uploads = pending.size
  before()
  if (photo) then(photo)
  else warn(problem)
}

// Until no upload is under way.
export async function settled() {
  while (pending.size) await Promise.allSettled(pending)
}

// Examples

// What the examples hold, so that one takes the place of another but never of what a person added.
export function knowExamples(texts) {
  examples.texts = texts
}

// Returns whether nothing else waits, so that it may be asked as it is.
export async function useExample(text, files) {
  const alone = !page.draft.text.trim() && !page.draft.chips.length && !places().length
  setText(joinedText(text, page.draft.text, examples.texts))
  setChips(page.draft.chips.filter(({ photo }) => !examples.photos.has(photo.id)))
  const photos = []
  const mine = ++examples.turn
  await Promise.all(files.map((url, place) => adding(fileAt(url).then((file) => upload(file)), (photo) => {
    if (mine !== examples.turn) return // another example has taken its place
    photos[place] = photo
    examples.photos.add(photo.id)
    setChips(inOrder(added(page.draft.chips, [photo]), photos))
  })))
  return alone && mine === examples.turn && photos.length === files.length
}

async function fileAt(url) {
  const response = await fetch(new URL(url, document.baseURI))
  const blob = await response.blob()
  return new File([blob], decodeURIComponent(url.split(/[?#]/)[0].split('/').pop()), { type: blob.type })
}

// Sending, and what comes back

// What is sent leaves the composer at once; what is typed meanwhile stays.
export function takeOut({ text, chips, regions }) {
  const now = page.draft.text
  const ids = chips.map(({ photo }) => photo.id)
  setText(now.startsWith(text) ? now.slice(text.length).trimStart() : now)
  setRegions(page.draft.regions.filter((region) => !regions.includes(region)))
  setChips(page.draft.chips.filter(({ photo }) => !ids.includes(photo.id)))
}

// What the server did not take, before what was typed and added meanwhile.
export function giveBack({ text, chips, regions }) {
  setText(joinedText(text, page.draft.text))
  setRegions([...regions, ...page.draft.regions])
  setChips(joined(chips, page.draft.chips))
}

// A question taken back: before what was typed and added meanwhile.
export function putBack({ text: whole, images }) {
  const chips = images.map(({ mode, number: _, ...photo }) => ({ photo, max_tiles: tilesBack(mode) }))
  const { text, regions } = splitRegions(whole)
  const idOf = (number) => (images.find((image) => image.number === number) ?? imagesOf(page.conversation)[number - 1])?.id
  giveBack({ text, chips, regions: regions.map(({ image, box_1000 }) => ({ photo: idOf(image), box_1000 })).filter(({ photo }) => photo) })
}

function tilesBack(mode) {
  return { low: 1, standard: 12, high: 40 }[mode] ?? mode
}

export function options() {
  return { ...chosenOptions(), ...page.maxAnswerTokens ? { max_new_tokens: page.maxAnswerTokens } : {} }
}

// The context bar

let timer = 0
let asking = null

// Asks after a pause what the draft takes of the context; there is no question while there is nothing to show.
export function askBudget() {
  clearTimeout(timer)
  timer = setTimeout(readBudget, BUDGET_MS)
}

async function readBudget() {
  asking?.abort()
  asking = new AbortController()
  const { signal } = asking
  const known = page.draft.chips.map(({ photo }) => photo.id)
  let budget = null
  if (worthAsking()) {
    try {
      budget = await call('POST', 'api/budget', draftAsJson(), signal)
    } catch (problem) { // the bar is only help: Send tells what is wrong
      if (problem.status === 422) budget = { parts: [], sentence: '', limit: 1, problem: problem.say(), fixes: [] }
    }
  }
  if (signal.aborted) return
  page.budget = budget && worthShowing(budget) ? { ...budget, known } : null
  emit('budget', page.budget)
}

// A few words alone are no reason to move the page.
function worthShowing({ parts, problem }) {
  const taken = parts.filter(({ kind }) => kind !== 'answer').reduce((sum, { share }) => sum + share, 0)
  return problem || pictures() > 0 || taken >= NOTICEABLE
}

function pictures() {
  return page.draft.chips.length + imagesOf(page.conversation).length
}

function worthAsking() {
  const said = page.conversation?.questions.flatMap(({ text, answers }) => [text, ...answers.map((answer) => answer.text)]) ?? []
  const letters = [page.draft.text, ...said].reduce((sum, text) => sum + text.length, 0)
  return pictures() > 0 || letters > NOTICEABLE * (page.model?.context_length ?? 0)
}

function draftAsJson() {
  const { chips } = page.draft
  const { max_new_tokens, system, thinking } = options() // what takes of the context
  return {
    conversation: page.conversation?.id ?? null,
    text: wholeText(),
    images: chips.map(({ photo, max_tiles }) => ({ photo: photo.id, name: photo.name, size_wh: photo.size_wh, mode: max_tiles ?? page.mode })),
    max_new_tokens, system, thinking, ...modelField(),
  }
}

// A change that the bar offers; `begin` begins a new conversation.
export function applyFix(fix, begin) {
  if (fix.images) setChips(fixed(page.draft.chips, fix.images, page.mode, page.budget?.known ?? []))
  page.maxAnswerTokens = fix.max_new_tokens ?? page.maxAnswerTokens
  page.trouble = null
  if (fix.new_conversation) begin()
  askBudget()
}

onLanguage(askBudget, false)
on('settings', askBudget)
on('model', () => {
  if (!modeChosen && page.model.miniature && page.mode !== 'low') setMode('low') // what it was taught with
  modeChosen = true
  setReadMode()
  const chips = page.draft.chips.map((chip) => (chip.max_tiles > page.model.most_tiles ? { ...chip, max_tiles: page.model.most_tiles } : chip))
  if (chips.some((chip, at) => chip !== page.draft.chips[at])) setChips(chips)
  askBudget()
})
