package builtin

// courtesies are greetings, thanks, and questions about the assistant itself.
func (m *Model) courtesies() []rule {
	const hello = "Hello! " + whoIAm + " " + whatIDo
	return []rule{
		saying(`|help|help me|commands|menu|usage|what (?:can|do) you (?:do|know|understand|offer)(?: for me)?|what can i (?:ask|do|say)(?: you)?(?: here)?|how (?:do|can) i use (?:you|this|it)|how does (?:this|it) work`,
			whatIDo+" "+whoIAm+" "+plugIn),
		saying(`(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day))?(?:[ ,]*(?:there|pam|everyone))?`, hello),
		saying(`(?:are|is) (?:you|pam|this|it|this thing) (?:working|there|alive|online|up|running|ok|okay|awake|on|ready|up and running)(?: now| today| yet)?|do you work|does (?:this|it) work|(?:can you )?hear me|anybody there|anyone there|test|testing`,
			"Yes, I am working. "+whoIAm+" "+plugIn),
		saying(`how (?:are you|is it going|do you do)(?: doing)?(?: today)?`, "I am working, thank you. "+whatIDo),
		saying(`who are you|about yourself|(?:who|what) is|what are you|who is (?:pam|this)|what is (?:pam|this|your name)|what are you called|introduce yourself|who am i talking to|are you (?:a |an )?(?:real )?(?:human|person|robot|bot|ai|machine|llm|language model|large language model|chat ?gpt|gpt|real)(?: being)?|(?:what|which) (?:language |ai )?model (?:are you|is this|is answering|do you use|answers(?: me)?)`,
			whoIAm+" "+whatIDo+" "+plugIn),
		saying(`how (?:do|can) i (?:use|plug in|connect|add|get|set up|have) (?:a |an |another |the )?(?:(?:real|better|other|different|openai|language|large) )*(?:model|llm|ai)(?: .{0,40})?`, plugIn),
		saying(`(?:many )?(?:thanks|thank you|thx|cheers)(?: (?:pam|very much|so much|a lot|again|for (?:your|the) (?:help|answer)|that (?:helped|was helpful)))*|well done|good job|great|perfect|nice`, "You are welcome."),
		saying(`(?:good ?bye|bye(?: bye)?|see you(?: later| soon| tomorrow)?|good night|farewell)`, "Goodbye!"),
	}
}
