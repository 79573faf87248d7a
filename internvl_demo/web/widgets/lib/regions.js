// Places on images that a question is about. The page shows them apart from its words; the model reads them after the
// words, each on a line of its own, in the tags in which it writes boxes itself.
//
//     withRegions('What is this?', [{ image: 2, box_1000: [1, 2, 3, 4] }], true)
//     -> 'What is this?\nImage-2: <ref>region</ref><box>[[1, 2, 3, 4]]</box>'
//     splitRegions(that)  ->  { text: 'What is this?', regions: [{ image: 2, box_1000: [1, 2, 3, 4] }] }
const LAST = /\n(?:Image-(\d{1,4}): )?<ref>region<\/ref><box>\[\[(\d{1,4}), (\d{1,4}), (\d{1,4}), (\d{1,4})\]\]<\/box>$/

// several: whether there is more than one image, so that each must be named.
export function withRegions(text, regions, several) {
  const lines = regions.map(({ image, box_1000 }) => `${several ? `Image-${image}: ` : ''}<ref>region</ref><box>[[${box_1000.join(', ')}]]</box>`)
  return [text, ...lines].join('\n')
}

export function splitRegions(text) {
  const regions = []
  for (let found = LAST.exec(text); found; found = LAST.exec(text)) {
    regions.unshift({ image: Number(found[1] ?? 1), box_1000: found.slice(2).map(Number) })
    text = text.slice(0, found.index)
  }
  return { text, regions }
}
