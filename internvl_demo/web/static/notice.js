// What went wrong, and what to do now. Text only: it may hold anything.
const box = element.querySelector('.widget')

function draw() {
  const { what = '', next_step = '' } = props.value ?? {}
  box.replaceChildren()
  box.classList.toggle('shown', Boolean(what))
  if (!what) return
  const strong = document.createElement('strong')
  strong.textContent = what
  const step = document.createElement('span')
  step.textContent = ' ' + next_step
  box.append(strong, step)
}

box.setAttribute('role', 'alert')
watch('value', draw)
draw()
