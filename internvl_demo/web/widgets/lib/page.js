// The page's one state and its commands. Widgets import from here, draw `page`, and listen to its events:
//
//     'conversation'  page.conversation is another value, whatever changed in it
//     'answer'        { answer: ANSWER, change: 'place' | 'delta' | 'box' | 'block' | 'done' | 'failed', ... }: of the
//                     answer that comes, already in page.conversation; besides what the server's event says
//     'shown'         { answer }: whose boxes the viewer shows (page.shown)
//     'image'         { number }: the viewer should turn to that image of the conversation
//     'light'         { answer, boxes: [index] } or null: what is under the mouse or the focus (page.lit)
//     'look'          { answer, boxes }: the viewer should zoom to them
//     'reveal'        { answer, boxes }: the conversation should bring the phrase into sight
//     'region'        { image, box_1000 } or null: what is selected in the viewer (page.region)
//     'inspect'       { answer }: the inspector should open for that answer
//     'insert'        { text }: the composer should write it at the cursor; 'focus': it should take the focus
//     'draft'         page.draft, and what stands with it: mode, uploads, fetching, trouble
//     'sending', 'budget', 'entries', 'notice', 'model', 'language'
import { Problem, call, problemOf } from './api.js'
import { asked, askedAgain, edited, runningAnswer } from './conversation.js'
import { attachments } from './draft.js'
import { applyFix, options, restoreDraft, settled, takeOut, warn } from './drafting.js'
import { leave, listen, look, newConversation, now, openConversation, path, readEntries, remember, show, take } from './showing.js'
import { emit, kept, page, tell } from './state.js'
import { onLanguage, words } from './words.js'

export { addAddress, addFiles, addRegion, changeChip, focusComposer, insertText, knowExamples, setMode, setText, useExample } from './drafting.js'
export { answerById, answerShown, imagesOf, runningAnswer, versions } from './conversation.js'
export { inspect, light, lookAt, reveal, setRegion, showAnswer, turnTo } from './looking.js'
export { newConversation, openConversation, readEntries, undo } from './showing.js'
export { emit, on, page, tell } from './state.js'

async function start() {
  const conversation = kept('conversation')
  await Promise.all([restoreDraft(), readModel(), readEntries(), conversation && openConversation(conversation)])
}

async function readModel() {
  try {
    page.model = await call('GET', 'api/model')
    emit('model', page.model)
  } catch (problem) {
    tell(problem)
  }
}

// Asking

// What is typed and waits. Whatever goes wrong, all of it stays in the composer.
export async function send() {
  if (page.sending || runningAnswer(page.conversation)) return
  const mine = now()
  setSending(true)
  try {
    await settled()
    if (mine !== now()) return // the page shows another conversation by now
    if (page.trouble) throw said()
    const { chips, text } = page.draft
    if (!text.trim()) throw problemOf('no_question')
    const images = chips.map(({ photo, max_tiles }) => ({ ...photo, mode: max_tiles ?? page.mode }))
    const body = { text: wellFormed(text.trim()), images: attachments(chips, page.mode), options: options() }
    const before = page.conversation
    await ask('POST', `${path(before?.id ?? 'new')}/questions`, body, (ids) => {
      takeOut({ text, chips })
      return asked(before, ids, body.text, images)
    })
  } catch (problem) {
    tell(problem)
  } finally {
    setSending(false)
  }
}

// Half a character, which an input may hold, cannot be sent.
function wellFormed(text) {
  return text.toWellFormed?.() ?? text
}

function said() {
  const { trouble } = page
  warn(null)
  return trouble
}

function setSending(sending) {
  page.sending = sending
  emit('sending', sending)
}

// The last question again; its earlier answers stay as versions.
export async function retry() {
  const before = page.conversation
  if (!before?.questions.length || runningAnswer(before)) return
  await ask('POST', `${path(before.id)}/retry`, undefined, (ids) => askedAgain(before, ids)).catch(tell)
}

// An earlier question in other words; true when the server took it.
export async function edit(question, text) {
  const before = page.conversation
  try {
    await ask('PUT', `${path(before.id)}/questions/${encodeURIComponent(question)}`, { text: wellFormed(text.trim()) }, (ids) => edited(before, question, ids, text.trim()))
    return true
  } catch (problem) {
    tell(problem.status === 422 ? new Problem(() => ({ what: problem.what, next_step: words('context_edit_shorter') })) : problem)
    return false
  }
}

// Sends what begins an answer. `next(ids)`: the conversation as it is then, until the server tells it.
async function ask(method, address, body, next) {
  const mine = now()
  let ids
  try {
    ids = await call(method, address, body)
  } catch (problem) {
    if (problem.status === 409 || problem.status === 404) await look(mine)
    throw problem
  }
  const conversation = next(ids)
  if (mine !== now()) return readEntries() // the page shows another one by now
  tell(null)
  remember(ids.answer)
  show(conversation)
  listen(ids.conversation)
  readEntries()
}

export async function stop() {
  if (!page.conversation?.id) return
  const mine = now()
  try {
    const { conversation } = await call('POST', `${path(page.conversation.id)}/stop`)
    if (mine !== now() || typeof conversation !== 'object' || !conversation) return
    leave()
    await take(conversation)
    readEntries()
  } catch (problem) {
    tell(problem)
  }
}

// Another version of the last answer.
export async function choose(answer) {
  const mine = now()
  try {
    await call('PATCH', path(page.conversation.id), { choose: answer })
    if (mine !== now()) return
    const questions = page.conversation.questions.map((question) => (
      question.answers.some(({ id }) => id === answer) ? { ...question, chosen: answer } : question))
    tell(null)
    show({ ...page.conversation, questions })
  } catch (problem) {
    tell(problem)
  }
}

// A change that the context bar offers.
export function applyOffer(fix) {
  applyFix(fix, newConversation)
}

// The list

export async function rename(id, title) {
  try {
    await call('PATCH', path(id), { title })
    if (page.conversation?.id === id) page.conversation = { ...page.conversation, title }
  } catch (problem) {
    tell(problem)
  }
  await readEntries()
}

export async function remove(id) {
  try {
    if (page.conversation?.id === id) leave()
    await call('DELETE', path(id))
    if (page.conversation?.id === id) { show(null); tell(null) }
  } catch (problem) {
    tell(problem)
  }
  await readEntries()
}

onLanguage(async (name) => {
  emit('language', name)
  tell(page.notice)
  const { conversation } = page
  if (!conversation?.id || conversation.running) return
  await look(now())
  tell(page.notice) // what it says of an answer was worded anew
}, false)
document.addEventListener('visibilitychange', () => { // another tab may have changed it
  if (document.visibilityState !== 'visible' || !page.conversation || page.conversation.running || page.sending) return
  look(now())
  readEntries()
})
start()
