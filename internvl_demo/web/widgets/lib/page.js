// The page's one state and its commands. Widgets import from here, draw `page`, and listen to its events:
//
//     'conversation'  page.conversation is another value, whatever changed in it
//     'answer'        { answer: ANSWER, change: 'place' | 'thinking' | 'delta' | 'box' | 'done' ..., ... }: of the
//                     answer that comes, already in page.conversation; besides what the server's event says
//     'shown'         { answer }: whose boxes the viewer shows (page.shown)
//     'image'         { number }: the viewer should turn to that image of the conversation
//     'light'         { answer, boxes: [index] } or null: what is under the mouse or the focus (page.lit)
//     'look'          { answer, boxes }: the viewer should zoom to them
//     'reveal'        { answer, boxes }: the conversation should bring the phrase into sight
//     'region'        { image, box_1000 } or null: what is selected in the viewer (page.region)
//     'inspect'       { answer }: the inspector should open for that answer
//     'list'          the list of conversations should open; 'edit': the last question should be edited
//     'focus'         the composer should take the focus
//     'draft'         page.draft, and what stands with it: mode, uploads, fetching, trouble
//     'settings'      what a person chose of how to answer (lib/settings.js)
//     'sending', 'budget', 'entries', 'notice', 'model', 'language'
import { Problem, call, problemOf } from './api.js'
import { answerShown, asked, askedAgain, edited, runningAnswer } from './conversation.js'
import { attachments } from './draft.js'
import { applyFix, giveBack, options, putBack, restoreDraft, settled, takeOut, useExample, warn, wholeText } from './drafting.js'
import { lookAtModel, modelField } from './model.js'
import { again, options as chosenOptions } from './settings.js'
import { leave, listen, look, newConversation, now, openConversation, path, readEntries, remember, show, take } from './showing.js'
import { emit, kept, page, tell } from './state.js'
import { onLanguage, words } from './words.js'

export { addAddress, addFiles, addPlace, addRegion, allImages, changeChip, focusComposer, knowExamples, places, removePlace, setMode, setText } from './drafting.js'
export { answerById, answerShown, imagesOf, runningAnswer, versions } from './conversation.js'
export { inspect, light, lookAt, reveal, setRegion, showAnswer, turnTo } from './looking.js'
export { newConversation, openConversation, readEntries, undo } from './showing.js'
export { emit, on, page, tell } from './state.js'

const PENDING = 'pending' // the ids of a question and its answer until the server gives them theirs
let beginning = null // the request that begins an answer

async function start() {
  const conversation = kept('conversation')
  await Promise.all([restoreDraft(), readModel(), readEntries(), conversation && openConversation(conversation)])
}

async function readModel() {
  try {
    page.model = await lookAtModel()
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
    const draft = page.draft
    if (!draft.text.trim()) throw problemOf('no_question')
    const images = draft.chips.map(({ photo, max_tiles }) => ({ ...photo, mode: max_tiles ?? page.mode }))
    const body = { text: wellFormed(wholeText()), images: attachments(draft.chips, page.mode), options: options(), ...modelField() }
    const before = page.conversation
    takeOut(draft)
    await ask('POST', `${path(before?.id ?? 'new')}/questions`, body, (ids) => asked(before, ids, body.text, images)).catch((problem) => {
      giveBack(draft)
      throw problem
    })
    page.maxAnswerTokens = null
  } catch (problem) {
    tell(problem)
  } finally {
    setSending(false)
  }
}

// An example is asked as it is, unless something else waits already: then it is put beside that.
export async function askExample(text, files) {
  if (await useExample(text, files)) await send()
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

// The last question again, a whole answer with another seed; its earlier answers stay as versions.
export async function retry() {
  const before = page.conversation
  if (!before?.questions.length || runningAnswer(before)) return
  const varied = again(answerShown(before, before.questions.at(-1)))
  await ask('POST', `${path(before.id)}/retry`, { ...varied, ...modelField() }, (ids) => askedAgain(before, ids)).catch(tell)
}

// An earlier question in other words; true when the server took it, or the composer has it.
export async function edit(question, text) {
  const before = page.conversation
  const mine = now()
  try {
    await ask('PUT', `${path(before.id)}/questions/${encodeURIComponent(question)}`, { text: wellFormed(text.trim()), options: chosenOptions(), ...modelField() }, (ids) => edited(before, question, ids, text.trim()))
    return true
  } catch (problem) {
    const lost = mine === now() && !page.conversation?.questions.some(({ id }) => id === question) // it has no place any more
    if (lost) putBack({ text, images: [] })
    tell(problem.status === 422 ? new Problem(() => ({ what: problem.what, next_step: words('context_edit_shorter') })) : problem)
    return lost
  }
}

// Sends what begins an answer. `next(ids)`: the conversation as it is then, until the server tells it; it is shown before
// the server has said yes, and taken back if it does not.
async function ask(method, address, body, next) {
  const mine = now()
  const before = page.conversation
  const coming = call(method, address, body)
  beginning = coming
  show(next({ conversation: before?.id ?? null, question: PENDING, answer: PENDING }))
  let ids
  try {
    ids = await coming
  } catch (problem) {
    if (mine === now()) show(before)
    if (problem.status === 409 || problem.status === 404) await look(mine)
    throw problem
  }
  if (mine !== now()) return readEntries() // the page shows another one by now
  tell(null)
  remember(ids.answer)
  show(next(ids))
  listen(ids.conversation)
  readEntries()
}

export async function stop() {
  const mine = now()
  if (page.conversation?.running === PENDING) await beginning?.catch(() => {})
  if (mine !== now() || !runningAnswer(page.conversation)) return
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
    if (problem.status === 409 || problem.status === 404) await look(mine)
    tell(problem)
  }
}

// Another version of a question, with what followed it. True when it is shown.
export async function chooseQuestion(question) {
  const mine = now()
  const address = path(page.conversation.id)
  try {
    await call('PATCH', address, { choose: question })
    const conversation = await call('GET', address)
    if (mine !== now()) return false
    tell(null)
    show(conversation)
    if (conversation.running) listen(conversation.id)
    readEntries()
    return true
  } catch (problem) {
    if (problem.status === 409 || problem.status === 404) await look(mine)
    tell(problem)
    return false
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
