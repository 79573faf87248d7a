// The text of one answer: its blocks as safe HTML, and behind them what has no block yet as plain text. Built once
// and changed where something changes; an unchanged block keeps its nodes, and with them focus and selection.
import { covered } from '../lib/conversation.js'
import { make, set } from '../lib/dom.js'
import { words } from '../lib/words.js'
import { copyButton } from './copying.js'
import { safe } from './safe.js'

const LETTER = /\p{L}/u
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u
// A line of which only marks have come: what it is going to be is not known yet.
const ONLY_MARKS = /^[ \t>]*(?:[-+*_#=~`|:$\\ \t]+|\d{1,9}[.)][ \t]*|(?:`{3}|~{3}).*|\\[a-z]*\{?[a-z]*\*?\}?)$/

export function makeAnswerText() {
  const node = make('div', { class: 'md' })
  const rest = document.createTextNode('')
  const tail = make('span', { class: 'tail' }, rest)
  const paragraph = make('p', { dir: 'auto' }) // for text that does not go on in the last block
  const blocks = [] // { html, node, wide: [node], phrases: [{ key, spans, boxes: [index] }] }
  const widths = new ResizeObserver((entries) => entries.forEach(({ target }) => reach(target)))
  let shown = { blocks: [], boxes: [], text: '' }

  function update(answer) {
    const before = shown
    shown = answer
    let moved = false
    if (before.blocks !== answer.blocks) {
      while (blocks.length > answer.blocks.length) drop(blocks.pop())
      answer.blocks.forEach((html, index) => {
        if (blocks[index]?.html === html) return
        moved = true
        place(index, html ?? '')
      })
    }
    if (before.boxes !== answer.boxes) for (const { phrases } of blocks) phrases.forEach(paint)
    const from = covered(answer)
    const text = answer.text.slice(from)
    goOn(answer.state === 'running' ? known(text, !from || answer.text[from - 1] === '\n') : text, moved)
  }

  function place(index, html) {
    const old = blocks[index]
    const focused = old?.node.contains(document.activeElement) ? document.activeElement.dataset.phrase : undefined
    const block = blockOf(html)
    if (old) {
      old.node.replaceWith(block.node)
      drop(old)
    } else node.insertBefore(block.node, paragraph.parentNode === node ? paragraph : null)
    blocks[index] = block
    block.phrases.forEach(paint)
    block.wide.forEach((one) => widths.observe(one))
    if (focused !== undefined) block.phrases.find(({ key }) => key === focused)?.spans[0].focus({ preventScroll: true })
  }

  function drop(block) {
    block.wide.forEach((one) => widths.unobserve(one))
    block.node.remove()
  }

  // The text behind the blocks: in the last of them where it goes on there, else in a paragraph of its own.
  function goOn(text, moved) {
    if (!text.trim()) {
      tail.remove()
      paragraph.remove()
      rest.data = ''
      return
    }
    const place = /^\s*\n\s*\n/.test(text) ? null : openEnd(blocks.at(-1)?.node)
    if (place?.matches('th, td')) text = text.split(/[|\n]/, 1)[0]
    if (moved || !tail.isConnected || tail.parentNode !== (place ?? paragraph)) {
      if (place) place.append(tail)
      else {
        paragraph.append(tail)
        node.append(paragraph)
      }
      if (place) paragraph.remove()
    }
    const wanted = place ? text : text.trimStart()
    if (wanted.startsWith(rest.data)) rest.appendData(wanted.slice(rest.data.length))
    else rest.data = wanted
  }

  // { spans, boxes } of the phrase that a node belongs to.
  function phraseAt(target) {
    const span = target.closest?.('.ground-phrase')
    return span && blocks.flatMap(({ phrases }) => phrases).find(({ spans }) => spans.includes(span))
  }

  function paint({ spans, boxes }) {
    const { colour, line } = shown.boxes[boxes[0]] ?? {}
    for (const span of spans) {
      if (colour) span.style.setProperty('--colour', colour)
      if (line) span.style.setProperty('--line', line)
    }
  }

  // Those of the phrases whose boxes are among `lit`; none for null.
  function light(lit) {
    for (const { phrases } of blocks) {
      for (const { spans, boxes } of phrases) {
        spans.forEach((span) => span.classList.toggle('lit', Boolean(lit) && boxes.some((index) => lit.includes(index))))
      }
    }
  }

  function reveal(wanted) {
    const phrase = blocks.flatMap(({ phrases }) => phrases).find(({ boxes }) => boxes.some((index) => wanted.includes(index)))
    phrase?.spans[0].scrollIntoView({ block: 'nearest' })
  }

  function relabel() {
    for (const { phrases, wide, copies } of blocks) {
      phrases.forEach(({ spans }) => set(spans[0], { 'aria-description': words('viewer_phrase') }))
      wide.forEach(reach)
      copies.forEach((copy) => copy.relabel())
    }
  }

  return { node, update, phraseAt, light, reveal, relabel }
}

// The text without a last line that is only marks so far.
function known(text, atLine) {
  const line = text.lastIndexOf('\n') + 1
  return (line || atLine) && ONLY_MARKS.test(text.slice(line)) ? text.slice(0, line) : text
}

function blockOf(html) {
  const node = make('div', { class: 'block' })
  node.append(safe(html))
  direct(node)
  const pres = [...node.querySelectorAll('pre')]
  const copies = pres.map((pre) => {
    const copy = copyButton('names_copy_code', { class: 'copy_code_button' }, () => pre.textContent)
    const around = make('div', { class: 'code' })
    pre.replaceWith(around)
    around.append(pre, copy.node)
    return copy
  })
  for (const formula of node.querySelectorAll('math[display=block]')) {
    if (formula.closest('.wide')) continue
    const around = make('span', { class: 'wide formula' })
    formula.replaceWith(around)
    around.append(formula)
  }
  return { html, node, copies, wide: [...node.querySelectorAll('.wide, p:has(> math)'), ...pres], phrases: phrasesIn(node) }
}

// Each part reads from the side on which its own letters begin; lists, tables and quotes as their first part.
function direct(node) {
  for (const part of node.querySelectorAll('p, li, th, td, h1, h2, h3, h4, h5, h6')) part.dir = 'auto'
  for (const part of node.querySelectorAll('pre, code, math')) part.dir = 'ltr'
  for (const part of node.querySelectorAll('ul, ol, table, blockquote')) {
    const first = firstLetter(part)
    if (!first) continue
    part.dir = RIGHT_TO_LEFT.test(first) ? 'rtl' : 'ltr'
    if (part.matches('.wide > table')) part.parentElement.dir = part.dir
  }
}

function firstLetter(node) {
  const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode
    const letter = LETTER.exec(data)
    if (letter && !parentElement.closest('pre, code, math')) return letter[0]
  }
  return ''
}

// A phrase that Markdown divides is several spans with one number; the first is the button.
function phrasesIn(node) {
  const found = new Map()
  for (const span of node.querySelectorAll('.ground-phrase[data-phrase][data-boxes]')) {
    const key = span.dataset.phrase
    const boxes = span.dataset.boxes.split(',').map(Number)
    if (found.has(key)) found.get(key).spans.push(span)
    else {
      found.set(key, { key, boxes, spans: [span] })
      set(span, { tabindex: '0', role: 'button', 'aria-description': words('viewer_phrase') })
    }
  }
  return [...found.values()]
}

// What is wider than the answer moves sideways: by keys, too.
function reach(node) {
  const wide = node.scrollWidth > node.clientWidth + 1
  set(node, { tabindex: wide ? '0' : null, role: wide ? 'group' : null, 'aria-label': wide ? words('names_wide') : null })
}

// Where in a block text would go on; null: behind it.
function openEnd(block) {
  let node = block?.lastElementChild
  while (node) {
    if (node.matches('p, h1, h2, h3, h4, h5, h6')) return node
    if (node.matches('.wide:has(> table)')) return [...node.querySelectorAll('th, td')].at(-1)
    if (node.matches('.code')) return node.querySelector('pre code') ?? node.querySelector('pre')
    if (node.matches('li') && !node.lastElementChild?.matches('ul, ol, p, blockquote')) return node
    if (!node.matches('ul, ol, li, blockquote')) return null
    node = node.lastElementChild
  }
  return null
}
