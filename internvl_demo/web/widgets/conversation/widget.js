// The conversation: question and answer messages in a list that is followed to its end while the reader is there.
// Each message owns its nodes; the server's events change only what they name.
import { button, icon, make } from '../lib/dom.js'
import { answerShown, light, lookAt, on, page, runningAnswer, showAnswer, versions } from '../lib/page.js'
import { onLanguage, words } from '../lib/words.js'
import { makeEmpty } from './empty.js'
import { makeFollower } from './following.js'
import { makeAnswer, makeQuestion } from './messages.js'
import { makeSpoken } from './spoken.js'

const TICK_MS = 1000

export default function mount(element, props) {
  const root = element.querySelector('.widget')
  const messages = new Map() // 'question id' or 'answer id' -> message
  const empty = makeEmpty(props.value?.examples ?? [])
  const list = make('div', { class: 'messages' })
  const log = make('div', { class: 'log', role: 'log', 'aria-live': 'off', tabindex: '0' }, empty.node, list)
  const fresh = make('span')
  const pill = button({ class: 'new-text', hidden: true }, () => follower.toEnd(), icon('down'), fresh)
  const follower = makeFollower(log, list, (behind) => { pill.hidden = !behind })
  const spoken = makeSpoken()
  let shown // the id of the conversation drawn
  let running // and of its answer that comes
  let pressing = false // the focus comes from a press, whose click will choose
  root.replaceChildren(log, pill, spoken.node)

  const messageOf = (answer) => messages.get(`answer ${answer}`)
  const answers = () => [...messages.entries()].filter(([key]) => key.startsWith('answer ')).map(([, message]) => message)

  function draw() {
    const { conversation } = page
    const wanted = new Map()
    const busy = Boolean(conversation?.running)
    const questions = conversation?.questions ?? []
    questions.forEach((question, index) => {
      const place = { turn: index + 1, last: index === questions.length - 1, busy }
      add(wanted, `question ${question.id}`, makeQuestion, (message) => message.update(question, place))
      const answer = answerShown(conversation, question)
      if (!answer) return
      const about = { ...place, question, versions: versions(conversation, question), several: questions.length > 1 }
      add(wanted, `answer ${answer.id}`, () => makeAnswer(follower.stay), (message) => message.update(answer, about))
    })
    arrange(wanted)
    empty.node.hidden = questions.length > 0
    if (busy && conversation.running !== running || shown !== conversation?.id) follower.toEnd()
    ;[shown, running] = [conversation?.id, conversation?.running]
    speak()
  }

  function speak() {
    const coming = runningAnswer(page.conversation)
    if (coming) spoken.wait(coming, page.conversation.questions.at(-1).images)
    else spoken.rest((id) => messageOf(id)?.said() ?? '')
  }

  function add(wanted, key, create, update) {
    const message = messages.get(key) ?? create()
    wanted.set(key, message)
    update(message)
  }

  function arrange(wanted) {
    for (const [key, message] of messages) {
      if (wanted.has(key)) continue
      message.node.remove()
      messages.delete(key)
    }
    let index = 0
    for (const [key, message] of wanted) {
      messages.set(key, message)
      if (list.children[index] !== message.node) list.insertBefore(message.node, list.children[index] ?? null)
      index++
    }
  }

  function relabel() {
    empty.relabel()
    fresh.textContent = words('conversation_new_text')
    log.setAttribute('aria-label', words('conversation'))
    for (const message of messages.values()) message.relabel()
  }

  function lighten() {
    for (const message of answers()) {
      const mine = page.lit?.answer === message.answer().id && page.shown === page.lit.answer
      message.light(mine ? page.lit.boxes : null)
    }
  }

  // Phrases and answers

  const answerAt = (target) => {
    const id = target.closest?.('[data-testid=bot]')?.dataset.answer
    return id ? messageOf(id) : null
  }
  const phraseAt = (target) => {
    const message = answerAt(target)
    const phrase = message?.phraseAt(target)
    return phrase ? { answer: message.answer().id, boxes: phrase.boxes } : null
  }

  function chooseAt(target) {
    const answer = answerAt(target)?.answer()
    if (answer && answer.id !== page.shown) showAnswer(answer.id)
  }

  function lightAt(target) {
    const phrase = phraseAt(target)
    light(phrase?.answer, phrase?.boxes)
  }

  function lookAtPhrase(phrase) {
    if (phrase.answer !== page.shown) showAnswer(phrase.answer)
    lookAt(phrase.answer, phrase.boxes)
  }

  log.addEventListener('click', ({ target }) => {
    chooseAt(target)
    if (target.closest('button, a, textarea')) return
    const phrase = phraseAt(target)
    if (phrase) lookAtPhrase(phrase)
  })
  log.addEventListener('keydown', (event) => {
    const phrase = (event.key === 'Enter' || event.key === ' ') && event.target.matches('.ground-phrase') && phraseAt(event.target)
    if (!phrase) return
    event.preventDefault()
    lookAtPhrase(phrase)
  })
  // Under a mouse or a finger nothing may move before the click, or the click goes elsewhere.
  log.addEventListener('mousedown', () => {
    pressing = true
    setTimeout(() => { pressing = false })
  })
  log.addEventListener('focusin', ({ target }) => {
    if (!pressing) chooseAt(target)
    lightAt(target)
  })
  log.addEventListener('focusout', () => light(null))
  log.addEventListener('mouseover', ({ target }) => lightAt(target))
  log.addEventListener('mouseleave', () => light(null))

  on('conversation', draw)
  on('answer', ({ answer, change }) => {
    if (change === 'done' || change === 'failed') return // the conversation comes with it
    messageOf(answer.id)?.grow(answer)
    if (change === 'delta') follower.news()
    if (change === 'place' || change === 'thinking') speak()
  })
  on('shown', ({ answer }) => {
    const several = (page.conversation?.questions.length ?? 0) > 1
    for (const message of answers()) message.choosing(answer, several)
    lighten()
  })
  on('light', lighten)
  on('reveal', ({ answer, boxes }) => messageOf(answer)?.reveal(boxes))
  on('edit', () => messages.get(`question ${page.conversation?.questions.at(-1)?.id}`)?.edit())
  on('model', draw)
  onLanguage(() => {
    relabel()
    draw()
  })
  setInterval(() => {
    if (running) messageOf(running)?.tick()
  }, TICK_MS)
}
