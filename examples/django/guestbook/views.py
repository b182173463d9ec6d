from django.shortcuts import redirect, render

from .forms import EntryForm
from .models import Entry


def entries(request):
    form = EntryForm(request.POST or None)
    if form.is_valid():
        form.save()
        return redirect('entries')
    return render(request, 'guestbook/entries.html', {
        'form': form,
        'entries': Entry.objects.all()[:100],
    })
