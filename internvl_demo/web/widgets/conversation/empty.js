// What stands where there is no question yet: one sentence, and six examples, which a press asks.
//
//     props.value = { examples: [{ en: 'Where is the cat?', zh: '猫在哪里？', files: ['page/examples/cat.webp'] }] }
import { button, make } from '../lib/dom.js'
import { askExample, knowExamples } from '../lib/page.js'
import { either, words } from '../lib/words.js'

export function makeEmpty(examples) {
  const sentence = make('p', { class: 'placeholder' })
  const texts = examples.map(() => make('span'))
  const cards = examples.map((example, index) => {
    const pictures = example.files.map((file) => {
      const drawn = make('img', { alt: '', width: 128, height: 128 })
      drawn.src = new URL(file, document.baseURI).href
      return drawn
    })
    return button({ class: 'example' }, () => askExample(either(example), example.files), make('span', { class: 'shown' }, ...pictures), texts[index])
  })
  const node = make('div', { class: 'empty' }, sentence, make('div', { id: 'examples' }, ...cards))
  knowExamples(examples.flatMap(({ en, zh }) => [en, zh]))

  function relabel() {
    sentence.textContent = words('conversation_empty')
    examples.forEach((example, index) => { texts[index].textContent = either(example) })
  }

  relabel()
  return { node, relabel }
}
