// HTML of an answer's block, which our server made from escaped text -> nodes of an allow-list. What is not on it
// loses its tag and keeps its text; what loads or runs something loses both. Parsed in an inert document.
const HTML = 'http://www.w3.org/1999/xhtml'
const MATH = 'http://www.w3.org/1998/Math/MathML'
const TAGS = new Set(`p strong em s del code pre span a ul ol li h1 h2 h3 h4 h5 h6 blockquote table thead tbody tr th td
  hr br sup sub div`.split(/\s+/))
const MATH_TAGS = new Set(`math semantics annotation mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror
  mpadded mphantom menclose msub msup msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr
  mlabeledtr mtd`.split(/\s+/))
const DROPPED = new Set(`script style template iframe object embed svg img video audio form input button textarea select
  link meta base noscript title annotation-xml`.split(/\s+/))
const ATTRIBUTES = new Set(['class', 'data-phrase', 'data-boxes', 'rel', 'start', 'value', 'align'])
const MATH_ATTRIBUTES = new Set(`display mathvariant displaystyle scriptlevel stretchy fence separator accent accentunder
  form lspace rspace minsize maxsize symmetric largeop movablelimits linethickness columnalign rowalign columnspacing
  rowspacing columnlines rowlines columnspan rowspan frame width height depth voffset notation encoding`.split(/\s+/))
const ADDRESS = /^(?:https?:\/\/|mailto:)/i
const NUMBERS = /^\d+(,\d+)*$/
const DEEPEST = 200 // levels; what is nested deeper is text

export function safe(html) {
  const parsed = document.createElement('template')
  parsed.innerHTML = html
  const fragment = document.createDocumentFragment()
  copy(parsed.content, fragment, 0)
  return fragment
}

function copy(from, to, depth) {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.append(node.data)
    else if (node.nodeType === Node.ELEMENT_NODE) element(node, to, depth)
  }
}

function element(node, to, depth) {
  const name = node.localName
  const known = node.namespaceURI === MATH ? MATH_TAGS.has(name) : node.namespaceURI === HTML && TAGS.has(name)
  if (DROPPED.has(name)) return
  if (depth > DEEPEST) return to.append(node.textContent)
  if (!known) return copy(node, to, depth + 1)
  const made = document.createElementNS(node.namespaceURI, name)
  for (const { name: attribute, value } of node.attributes) {
    if (allowed(node.namespaceURI, attribute, value)) made.setAttribute(attribute, value)
  }
  if (name === 'a') link(made, node.getAttribute('href') ?? '', node.getAttribute('title'))
  copy(node, made, depth + 1)
  to.append(made)
}

function allowed(namespace, attribute, value) {
  if (attribute === 'data-phrase' || attribute === 'data-boxes') return NUMBERS.test(value)
  return ATTRIBUTES.has(attribute) || (namespace === MATH && MATH_ATTRIBUTES.has(attribute))
}

function link(made, href, title) {
  if (!ADDRESS.test(href)) return
  made.setAttribute('href', href)
  if (title) made.setAttribute('title', title)
  made.setAttribute('target', '_blank')
  made.setAttribute('rel', 'noopener noreferrer')
}
