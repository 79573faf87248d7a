// The conversation that the page shows: opened, followed while an answer comes, left for another. A question whose
// answer failed before its first text, and that this tab asked, goes back into the composer.
import { Problem, call, follow, problemOf } from './api.js'
import { answerById, answerShown, apply, hasBegun } from './conversation.js'
import { askBudget, putBack } from './drafting.js'
import { showAnswer } from './looking.js'
import { learn } from './pace.js'
import { emit, keep, kept, page, tell } from './state.js'
import { words } from './words.js'

const AGAIN_MS = 2000 // until a server that was not reached is asked again

let following = null // ends the stream of the answer that comes
let turn = 0 // what was asked before the page turned to another conversation comes too late
let waitsFor = kept('asked') // the answer that this tab asked for

export function path(id) {
  return `api/conversations/${encodeURIComponent(id)}`
}

export function now() {
  return turn
}

export async function readEntries() {
  try {
    page.entries = (await call('GET', 'api/conversations')).conversations
    emit('entries', page.entries)
  } catch (problem) {
    tell(problem)
  }
}

export async function openConversation(id) {
  const mine = leave()
  keep('conversation', id)
  try {
    const conversation = await call('GET', path(id))
    if (mine !== turn) return
    tell(null)
    await take(conversation)
  } catch (problem) {
    if (mine !== turn) return
    tell(problem)
    if (problem.status === 404) return show(null)
    setTimeout(() => { if (mine === turn) openConversation(id) }, AGAIN_MS)
  }
}

export function newConversation() {
  leave()
  show(null)
  tell(null)
  readEntries()
}

// No event of the conversation that was shown is heard any more.
export function leave() {
  following?.abort()
  following = null
  return ++turn
}

export function show(conversation) {
  const before = page.conversation
  page.conversation = conversation
  keep('conversation', conversation?.id ?? null)
  const last = conversation?.questions.at(-1)
  const newest = last ? answerShown(conversation, last)?.id ?? null : null
  const fresh = before?.id !== conversation?.id || newest !== lastShown(before) || !answerById(conversation, page.shown)
  if (fresh) page.shown = newest
  emit('conversation', conversation)
  if (fresh) showAnswer(newest)
  askBudget()
}

function lastShown(conversation) {
  const last = conversation?.questions.at(-1)
  return last ? answerShown(conversation, last)?.id ?? null : null
}

// A conversation as the server tells it; an answer that comes is followed to its end.
export async function take(conversation) {
  show(conversation)
  if (conversation.running) return listen(conversation.id)
  const last = conversation.questions.at(-1)
  const answer = last && answerShown(conversation, last)
  if (answer?.failure) await failed(answer)
}

export function listen(id) {
  following?.abort()
  following = new AbortController()
  const { signal } = following
  let lost = false
  const onLost = (is) => {
    if (is === lost || signal.aborted) return
    lost = is
    tell(lost ? problemOf('lost') : null)
  }
  follow(id, { signal, onLost, onEvent: (event) => { if (!signal.aborted) receive(event) } }).catch((problem) => {
    if (signal.aborted) return
    leave()
    if (problem.status === 404) show(null)
    tell(problem)
    readEntries()
  })
}

function receive({ name, data }) {
  if (name === 'gone') {
    leave()
    show(null)
    return readEntries()
  }
  if (!name.startsWith('answer.') && name !== 'conversation') return
  if (name === 'conversation') {
    if (data.running) return show(data)
    leave()
    return take(data).then(readEntries)
  }
  const { conversation, detail } = apply(page.conversation, name, data)
  if (!detail) return
  page.conversation = conversation
  emit('answer', detail)
  if (detail.change === 'done' || detail.change === 'failed') ended(detail)
}

function ended({ answer, change }) {
  leave()
  learn(answer.receipt ?? {})
  emit('conversation', page.conversation)
  askBudget()
  if (change === 'failed') return failed(answer)
  remember('')
  tell(null)
  readEntries()
}

// An error before the first text gives the question back, if this tab asked it; after it, what came stays. An edited
// question keeps its place beside the old one, to be retried there.
async function failed(answer) {
  const mine = waitsFor === answer.id
  const begun = hasBegun(answer)
  const question = page.conversation.questions.at(-1)
  const others = question.siblings.length > 1 || question.answers.some((one) => one.id !== answer.id && hasBegun(one))
  remember('')
  const problem = new Problem(() => {
    const { what, next_step, details } = answerById(page.conversation, answer.id)?.failure ?? answer.failure // may be worded anew
    return { what: begun ? words('broke_off', { problem: what }) : what, next_step, details }
  })
  problem.stays = begun
  if (!mine || begun || others) return tell(problem)
  await undo()
  tell(problem)
}

export function remember(answer) {
  waitsFor = answer
  keep('asked', answer)
}

// The last question goes back into the composer. Of the only one nothing else is left.
export async function undo() {
  const { id } = page.conversation
  const mine = turn
  try {
    const back = await call('POST', `${path(id)}/undo`)
    putBack(back)
    if (mine !== turn) return
    tell(null)
    const { questions } = page.conversation
    if (!back.conversation) show(null)
    else if (questions.at(-1).siblings.length > 1) await look(mine) // another version of it is shown then
    else show({ ...page.conversation, questions: questions.slice(0, -1) })
  } catch (problem) {
    tell(problem)
  }
  readEntries()
}

// The conversation as it is kept, when it is not as this page thought: an answer may come to another tab.
export async function look(mine) {
  if (!page.conversation?.id) return
  try {
    const conversation = await call('GET', path(page.conversation.id))
    if (mine !== turn) return
    show(conversation)
    if (conversation.running) listen(conversation.id)
  } catch (problem) {
    if (mine === turn && problem.status === 404) show(null)
  }
}
