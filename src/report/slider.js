// Lays the two pictures of each comparison over each other, with a slider: a range input, so that keys move it too.
for (const box of document.querySelectorAll('.compare')) {
  const slider = document.createElement('input');
  slider.type = 'range';
  slider.value = 50;
  slider.setAttribute('aria-label', 'divide between the two pictures');
  slider.addEventListener('input', () => box.style.setProperty('--at', slider.value + '%'));
  box.append(slider);
  box.classList.add('live');
}
