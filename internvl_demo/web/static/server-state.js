// What a server that the app started does while it cannot answer yet. Text only, told once for each change.
const box = element.querySelector('.widget')
let told = ''

function draw() {
  const { what = '', next_step = '' } = props.value ?? {}
  const text = `${what} ${next_step}`.trim()
  if (text === told) return
  told = text
  box.textContent = text
  box.classList.toggle('shown', Boolean(text))
}

box.setAttribute('role', 'status')
watch('value', draw)
draw()
